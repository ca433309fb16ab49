// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** A NIC comes into a switch and leaves it. */
final class AttachedNicTest {
  private final NetmapDevice device = Netmap.emulated();

  private static long entries(String directory) throws IOException {
    try (Stream<Path> paths = Files.list(Path.of(directory))) {
      return paths.count();
    }
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("netmap-vale"))
        .count();
  }

  private void plugAndUnplug() throws Exception {
    device.attach(RegisterRequest.of("vale0:vat0").with(PortMode.NIC_AND_HOST, 0));
    assertEquals(1, threads());
    assertEquals(
        List.of("vale0:vat0", "vale0:vat0^"),
        device.valePorts().stream().map(NetmapDevice.ValePort::name).toList());
    device.detach("vale0:vat0");
  }

  @Test
  void fiftyVisitsLeaveNothing() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vat0", "vat1");
          plugAndUnplug();
          long files = entries("/proc/self/fd");
          for (int i = 0; i < 50; i++) {
            plugAndUnplug();
          }
          assertEquals(0, threads());
          assertEquals(List.of(), device.valePorts());
          // Other threads of the JVM open and close files as well.
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(() -> entries("/proc/self/fd") <= files);
          String link = command("ip", "-d", "link", "show", "vat0");
          assertTrue(!link.contains("xdp"), link);
        });
  }

  private static void broadcast(NetmapPort port) {
    NetmapRing ring = port.txRings().get(0);
    Memory.fill(ring.buffer(ring.head()), 60, 0xff);
    ring.set(ring.head(), 60, 0);
    ring.advanceTo(ring.after(ring.head(), 1));
    port.txSync();
  }

  @Test
  void aNicThatGoesAwayHurtsNobodyAndIsPluggedInAgainWhenItComesBack() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vat0", "vat1");
          device.attach(RegisterRequest.of("vale0:vat0").with(PortMode.NIC_AND_HOST, 0));
          try (NetmapPort a = device.register(RegisterRequest.of("vale0:a"));
              NetmapPort b = device.register(RegisterRequest.of("vale0:b"))) {
            command("ip", "link", "del", "vat0");
            broadcast(a);
            b.rxSync();
            assertEquals(1, b.rxRings().get(0).space(), "the others go on");
            NetworkNamespace.veth("vat0", "vat1");
            try (NetmapPort peer = device.register(RegisterRequest.of("vat1"))) {
              Awaitility.await()
                  .atMost(Duration.ofSeconds(10))
                  .pollInSameThread()
                  .until(
                      () -> {
                        broadcast(a);
                        peer.rxSync();
                        return peer.rxRings().get(0).space() > 0;
                      });
            }
            assertEquals(4, device.valePorts().size());
            assertEquals(1, threads());
            device.detach("vale0:vat0");
            assertEquals(0, threads());
          }
        });
  }

  @Test
  void aNicThatIsUnpluggedWhileItIsAwayStaysAway() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vat0", "vat1");
          device.attach(RegisterRequest.of("vale0:vat0"));
          command("ip", "link", "del", "vat0");
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(
                  () ->
                      Thread.getAllStackTraces().keySet().stream()
                          .anyMatch(thread -> thread.getName().endsWith("-again")));
          device.detach("vale0:vat0");
          Awaitility.await().atMost(Duration.ofSeconds(5)).until(() -> threads() == 0);
          NetworkNamespace.veth("vat0", "vat1");
          device.register(RegisterRequest.of("vat0")).close();
        });
  }
}
