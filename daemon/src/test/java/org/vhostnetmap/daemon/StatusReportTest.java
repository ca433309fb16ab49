// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.bridge.BridgeStatus;
import org.vhostnetmap.bridge.DropReason;
import org.vhostnetmap.bridge.NetmapStatus;
import org.vhostnetmap.bridge.PortStatus;
import org.vhostnetmap.bridge.QueueStatus;
import org.vhostnetmap.bridge.WorkerStatus;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.vhost.BackendStatus;

class StatusReportTest {
  private static final String ODD_NAME = "vhost:/tmp/\"odd\"\u001b[31m.sock";

  private static final BackendStatus VHOST =
      new BackendStatus(
          BackendStatus.State.BROKEN,
          "transmitq1 stopped",
          4242,
          List.of("VIRTIO_F_VERSION_1", "VIRTIO_NET_F_MRG_RXBUF"),
          List.of("VHOST_USER_PROTOCOL_F_MQ"),
          15,
          1400,
          List.of(
              new BackendStatus.Region(0, 3L << 20), new BackendStatus.Region(1L << 32, 1L << 20)),
          true,
          List.of(
              new BackendStatus.Ring(
                  0,
                  BackendStatus.RingState.RUNNING,
                  "receiveq1 running",
                  256,
                  7,
                  5,
                  true,
                  true,
                  3,
                  0,
                  0,
                  null),
              new BackendStatus.Ring(
                  1,
                  BackendStatus.RingState.BROKEN,
                  "transmitq1 stopped: descriptor loop",
                  256,
                  0,
                  0,
                  true,
                  false,
                  0,
                  1,
                  2,
                  "descriptor loop")),
          new BackendStatus.Counters(2, 0, 1, 0, 0, 0, 0),
          "sent half a message");

  private static final NetmapStatus NETMAP =
      new NetmapStatus(
          "a netmap",
          "eth0 by carrier pigeon",
          true,
          false,
          "the interface eth0 is gone",
          2,
          1024,
          1,
          1500,
          3,
          List.of(new NetmapPort.DeviceDrops("ring full", 9)));

  private static final StatusReport REPORT =
      new StatusReport(
          "1.0",
          77,
          3_725,
          64L << 20,
          new BridgeStatus(
              List.of(
                  new PortStatus(
                      ODD_NAME,
                      "vhost",
                      "guest driver up",
                      1,
                      List.of(
                          new QueueStatus(
                              "rx0", false, 0, 0, 3, 0, 45, 9, Map.of(DropReason.NO_BUFFERS, 4L)),
                          new QueueStatus(
                              "tx0",
                              true,
                              12,
                              1_200,
                              0,
                              0,
                              0,
                              0,
                              Map.of(DropReason.TOO_SHORT, 1L))),
                      Optional.of(VHOST),
                      Optional.empty()),
                  new PortStatus(
                      "null:",
                      "null",
                      "forgets every frame",
                      0,
                      List.of(new QueueStatus("out", false, 8, 800, 0, 0, 0, 0, Map.of())),
                      Optional.empty(),
                      Optional.empty()),
                  new PortStatus(
                      "netmap:eth0",
                      "netmap",
                      "2 ring pairs of a netmap",
                      0,
                      List.of(new QueueStatus("out0", false, 0, 0, 0, 7, 0, 0, Map.of())),
                      Optional.empty(),
                      Optional.of(NETMAP))),
              List.of(
                  new WorkerStatus("worker-0", -1, 4, 20, 5, 2, 1000),
                  new WorkerStatus("worker-1", 3, 4, 1, 0, 1, 0)),
              1,
              5,
              0));

  @Test
  void jsonHoldsEveryFigureUnderItsName() {
    Map<String, Object> report = StrictJson.object(StatusJson.of(REPORT));
    var ports = StrictJson.objects(report, "ports");
    var workers = StrictJson.objects(report, "worker_threads");
    report.remove("ports");
    report.remove("worker_threads");
    assertEquals(
        Map.of(
            "name",
            "worker-0",
            "sources",
            4L,
            "polls",
            20L,
            "empty_polls",
            5L,
            "sleeps",
            2L,
            "busy_ns",
            1000L),
        workers.getFirst());
    assertEquals(3L, workers.getLast().get("cpu"));
    assertEquals(
        Map.ofEntries(
            Map.entry("version", "1.0"),
            Map.entry("pid", 77L),
            Map.entry("uptime_seconds", 3_725L),
            Map.entry("resident_bytes", 64L << 20),
            Map.entry("workers", 2L),
            Map.entry("received", 12L),
            Map.entry("delivered", 8L),
            Map.entry("dropped", 5L),
            Map.entry("flood_copies", 1L),
            Map.entry("unexplained", 0L),
            Map.entry("mac_moves", 5L),
            Map.entry("mac_refusals", 0L)),
        report);
    assertEquals(ODD_NAME, ports.getFirst().get("name"));
    assertEquals("guest driver up", ports.getFirst().get("state"));
    assertEquals(
        Map.of(
            "name",
            "rx0",
            "direction",
            "to_port",
            "frames",
            0L,
            "bytes",
            0L,
            "notifications",
            3L,
            "moved",
            0L,
            "segments",
            45L,
            "coalesced",
            9L,
            "drops",
            Map.of("no_buffers", 4L)),
        StrictJson.objects(ports.getFirst(), "queues").getFirst());
    assertFalse(ports.get(1).containsKey("vhost"));
    assertFalse(ports.get(1).containsKey("netmap"));
    assertFalse(StatusJson.of(REPORT).contains("\n"), "one line");
  }

  @Test
  void jsonTellsWhatTheSessionKnows() {
    Map<String, Object> report = StrictJson.object(StatusJson.of(REPORT));
    Map<String, Object> vhost =
        StrictJson.inner(StrictJson.objects(report, "ports").getFirst(), "vhost");
    assertEquals("broken", vhost.get("state"));
    assertEquals(4242L, vhost.get("front_end_pid"));
    assertEquals(VHOST.features(), vhost.get("features"));
    assertEquals(VHOST.protocolFeatures(), vhost.get("protocol_features"));
    assertEquals(
        List.of(
            Map.of("guest_address", 0L, "size", 3L << 20),
            Map.of("guest_address", 1L << 32, "size", 1L << 20)),
        vhost.get("memory"));
    assertEquals("sent half a message", vhost.get("last_trouble"));
    var ring = StrictJson.objects(vhost, "rings").getLast();
    assertEquals("broken", ring.get("state"));
    assertEquals("descriptor loop", ring.get("fault"));
    assertEquals(2L, ring.get("discarded"));
  }

  @Test
  void jsonTellsWhatIsKnownOfNetmapRings() {
    Map<String, Object> report = StrictJson.object(StatusJson.of(REPORT));
    Map<String, Object> port = StrictJson.objects(report, "ports").getLast();
    assertEquals(
        Map.ofEntries(
            Map.entry("device", "a netmap"),
            Map.entry("way", "eth0 by carrier pigeon"),
            Map.entry("up", true),
            Map.entry("link", false),
            Map.entry("ring_pairs", 2L),
            Map.entry("slots", 1024L),
            Map.entry("memory_id", 1L),
            Map.entry("mtu", 1500L),
            Map.entry("reattached", 3L),
            Map.entry("device_drops", List.of(Map.of("reason", "ring full", "frames", 9L))),
            Map.entry("last_trouble", "the interface eth0 is gone")),
        StrictJson.inner(port, "netmap"));
    assertEquals(7L, StrictJson.objects(port, "queues").getFirst().get("moved"));
  }

  @Test
  void textTellsTheSameInWords() {
    String text = StatusText.of(REPORT);
    for (String told :
        List.of(
            "process 77, up 1 h 2 min, 64 MiB resident, 2 workers",
            "guest driver up",
            "process 4242",
            "VIRTIO_NET_F_MRG_RXBUF",
            "4 MiB in 2 regions",
            "receiveq1 running, 256 entries",
            "transmitq1 stopped: descriptor loop",
            "12 frames  1200 bytes",
            "4 dropped: the guest has no receive buffers",
            "last trouble  sent half a message",
            "null:  forgets every frame",
            "memory 1  1024 slots  MTU 1500",
            "9 dropped by netmap: ring full",
            "7 not copied",
            "45 segments made  9 coalesced",
            "last trouble  the interface eth0 is gone",
            "5 addresses moved",
            "received 12 + flooded copies 1 = delivered 8 + dropped 5, unexplained 0")) {
      assertTrue(text.contains(told), told + " is missing in\n" + text);
    }
  }

  @Test
  void nothingInANameActsOnTheTerminal() {
    assertTrue(StatusText.of(REPORT).chars().allMatch(c -> c == '\n' || c >= ' '));
  }

  @Test
  void theProcessKnowsItsOwnMemory() {
    var report = StatusReport.ofThisProcess(System.nanoTime(), REPORT.bridge());
    assertTrue(report.residentBytes() > 10 << 20, "a JVM of " + report.residentBytes());
    assertEquals(ProcessHandle.current().pid(), report.pid());
  }

  @Test
  void timesAndSizesAreWrittenForPeople() {
    assertEquals("59 s", StatusText.duration(59));
    assertEquals("1 min 0 s", StatusText.duration(60));
    assertEquals("47 h 59 min", StatusText.duration(48 * 3600 - 1));
    assertEquals("2 d 1 h", StatusText.duration(49 * 3600));
    assertEquals("1023 KiB", StatusText.size((1 << 20) - 1));
    assertEquals("1 MiB", StatusText.size(1 << 20));
  }
}
