// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.emulated.Kring;

class HostPathTest {
  private static final String NIC_MAC = "020000000001";
  private static final String PEER_MAC = "020000000002";
  private static final String NIC_IP = "192.0.2.1";
  private static final String PEER_IP = "192.0.2.2";

  @AfterEach
  void forget() {
    System.clearProperty(NicHook.WAY);
  }

  private interface Body {
    void run(HostRings host, Kring tx, Kring rx) throws Exception;
  }

  /** A NIC with an address, and its host rings; whoever is on the wire is played by the test. */
  private static void onANic(String way, Body body) throws Exception {
    System.setProperty(NicHook.WAY, way);
    if (way.equals("tcx")) {
      needsBpf();
    }
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "nic", "address", "02:00:00:00:00:01");
          command("ip", "addr", "add", NIC_IP + "/24", "dev", "nic");
          command("ip", "neigh", "add", PEER_IP, "lladdr", "02:00:00:00:00:02", "dev", "nic");
          try (PoolRings rings = new PoolRings(2048, 256);
              HostRings host = HostPath.create("nic", 1, 1)) {
            Kring tx = rings.kring(1, true, true, host::txSync);
            Kring rx = rings.kring(1, false, true, host::rxSync);
            host.cut(true);
            host.open(0, tx);
            host.open(0, rx);
            body.run(host, tx, rx);
            host.close(0, tx);
            host.close(0, rx);
            rings.assertNoBufferLost();
          }
          assertNothingLeft();
        });
  }

  private static void needsBpf() {
    try {
      Bpf.createXskMap(1).close();
    } catch (ErrnoException e) {
      Assumptions.abort("no right to use bpf(2): " + e.getMessage());
    }
  }

  static void assertNothingLeft() throws Exception {
    assertEquals("", command("tc", "filter", "show", "dev", "nic", "egress"));
    assertEquals("", command("tc", "filter", "show", "dev", "nic", "ingress"));
    String qdiscs = command("tc", "qdisc", "show");
    assertTrue(!qdiscs.contains("clsact"), qdiscs);
    String links = command("ip", "link", "show");
    assertTrue(!links.contains("nmhost"), links);
  }

  private static byte[] await(Kring rx, Predicate<byte[]> wanted) {
    AtomicReference<byte[]> found = new AtomicReference<>(new byte[0]);
    Awaitility.await()
        .atMost(Duration.ofSeconds(5))
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(2))
        .until(
            () -> {
              for (byte[] frame : PoolRings.take(rx)) {
                if (wanted.test(frame)) {
                  found.set(frame);
                }
              }
              return found.get().length > 0;
            });
    return found.get();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void theHostAnswersArpAndEchoThroughItsRings(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          PoolRings.put(tx, Frames.arpRequest(PEER_MAC, PEER_IP, NIC_IP));
          PoolRings.sync(tx);
          byte[] reply = await(rx, frame -> Frames.type(frame) == 0x0806);
          assertEquals(PEER_MAC, Frames.mac(reply, 0));
          assertEquals(NIC_MAC, Frames.mac(reply, 6));
          PoolRings.put(tx, Frames.ping(NIC_MAC, PEER_MAC, NIC_IP, PEER_IP, 1400));
          PoolRings.sync(tx);
          byte[] echo = await(rx, frame -> Frames.type(frame) == 0x0800);
          assertEquals(14 + 20 + 8 + 1400, echo.length);
          assertEquals(0, echo[34]);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void whatTheHostSendsIsCompleteAndDoesNotReachTheWire(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          long before = received("wire");
          try (DatagramSocket socket = new DatagramSocket()) {
            InetAddress to = InetAddress.getByName(PEER_IP);
            socket.send(new DatagramPacket(new byte[1000], 1000, to, 9));
          }
          byte[] sent = await(rx, frame -> Frames.type(frame) == 0x0800 && frame[23] == 17);
          assertEquals(0xffff, Frames.transportSum(sent, 14), "a checksum that is not complete");
          assertEquals(before, received("wire"));
          assertEquals(List.of(), host.drops());
        });
  }

  private static long received(String device) throws Exception {
    String[] lines = command("ip", "-s", "link", "show", device).split("\n", -1);
    return Long.parseLong(lines[3].strip().split(" +", -1)[1]);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void withoutOpenRingsTheHostIsCutOff(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          host.close(0, rx);
          long before = received("wire");
          try (DatagramSocket socket = new DatagramSocket()) {
            InetAddress to = InetAddress.getByName(PEER_IP);
            socket.send(new DatagramPacket(new byte[10], 10, to, 9));
          }
          assertEquals(before, received("wire"));
          assertEquals(1, host.drops().getFirst().frames());
          host.open(0, rx);
          assertEquals(List.of(), PoolRings.take(rx), "a frame from before");
          host.cut(false);
          try (DatagramSocket socket = new DatagramSocket()) {
            InetAddress to = InetAddress.getByName(PEER_IP);
            socket.send(new DatagramPacket(new byte[10], 10, to, 9));
          }
          assertEquals(before + 1, received("wire"));
          PoolRings.put(tx, Frames.arpRequest(PEER_MAC, PEER_IP, NIC_IP));
          PoolRings.sync(tx);
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(() -> received("wire") == before + 2);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void theHostReceivesOnlyWhatIsMeantForIt(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          try (DatagramSocket socket = new DatagramSocket(new InetSocketAddress(NIC_IP, 7777))) {
            socket.setSoTimeout(5000);
            String other = "0200000000aa";
            PoolRings.put(tx, Frames.udp(other, PEER_MAC, NIC_IP, PEER_IP, 7777, 1));
            PoolRings.put(tx, Frames.udp(NIC_MAC, PEER_MAC, NIC_IP, PEER_IP, 7777, 2));
            PoolRings.sync(tx);
            DatagramPacket packet = new DatagramPacket(new byte[100], 100);
            socket.receive(packet);
            assertEquals(2, packet.getLength());
          }
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void transparentFramesEnterTheStack(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          byte[] request = Frames.arpRequest(PEER_MAC, PEER_IP, NIC_IP);
          org.vhostnetmap.linux.Memory.copyFromArray(request, 0, tx.data(3), request.length);
          assertTrue(host.send(tx.data(3), request.length));
          await(rx, frame -> Frames.type(frame) == 0x0806);
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void framesOfSeveralSlotsGoWholeBothWays(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          command("ip", "link", "set", "nic", "mtu", "9000");
          byte[] ping = Frames.ping(NIC_MAC, PEER_MAC, NIC_IP, PEER_IP, 8000);
          int usable = tx.usableBytes();
          for (int at = 0; at < ping.length; at += usable) {
            int end = Math.min(ping.length, at + usable);
            PoolRings.put(
                tx,
                Arrays.copyOfRange(ping, at, end),
                end < ping.length ? NetmapAbi.NS_MOREFRAG : 0);
          }
          PoolRings.sync(tx);
          byte[] echo = await(rx, frame -> Frames.type(frame) == 0x0800);
          assertArrayEquals(
              Arrays.copyOfRange(ping, 42, ping.length), Arrays.copyOfRange(echo, 42, echo.length));
          PoolRings.put(tx, ping.length > usable ? Arrays.copyOf(ping, usable) : ping, 0);
          PoolRings.sync(tx);
          assertEquals(List.of(), tx.drops());
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void everyFrameThatDoesNotReachTheHostIsCounted(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          PoolRings.put(tx, new byte[10]);
          PoolRings.put(tx, Frames.udp("0200000000aa", PEER_MAC, NIC_IP, PEER_IP, 7, 1));
          PoolRings.put(tx, new byte[60], NetmapAbi.NS_MOREFRAG);
          int broken = tx.rhead;
          PoolRings.put(tx, new byte[60], 0);
          long buffer = tx.bufferIndex(broken);
          tx.setBufferIndex(broken, 1);
          PoolRings.sync(tx);
          tx.setBufferIndex(broken, buffer);
          assertEquals(tx.rhead, tx.hwcur);
          // By tcx the stack sorts out, and counts, what is not for it.
          assertEquals(
              way.equals("tcx") ? 2 : 3,
              tx.drops().stream().mapToLong(drops -> drops.frames()).sum(),
              tx.drops().toString());
          try (DatagramSocket socket = new DatagramSocket()) {
            for (int i = 0; i < 5000; i++) {
              InetAddress to = InetAddress.getByName(PEER_IP);
              socket.send(new DatagramPacket(new byte[10], 10, to, 9));
            }
          }
          host.drops();
          long lost = rx.drops().stream().mapToLong(drops -> drops.frames()).sum();
          int got = 0;
          for (List<byte[]> some = PoolRings.take(rx); !some.isEmpty(); some = PoolRings.take(rx)) {
            got += some.size();
          }
          assertEquals(5000, lost + got);
          assertEquals(List.of(), host.drops());
        });
  }

  @Test
  void aFrameThatTheHostRoutesBackDoesNotTurnAgain() throws Exception {
    onANic(
        "tcx",
        (host, tx, rx) -> {
          Files.writeString(Path.of("/proc/sys/net/ipv4/ip_forward"), "1");
          command("ip", "route", "add", "198.51.100.0/24", "via", PEER_IP);
          PoolRings.put(tx, Frames.udp(NIC_MAC, PEER_MAC, "198.51.100.9", PEER_IP, 7777, 5));
          PoolRings.sync(tx);
          byte[] routed = await(rx, frame -> Frames.type(frame) == 0x0800 && frame[23] == 17);
          assertEquals(63, routed[22], "time to live");
        });
  }

  @Test
  void aSecondProgramAtTheSameNicIsRefused() throws Exception {
    onANic(
        "tcx",
        (host, tx, rx) -> {
          NetmapException busy =
              assertThrows(NetmapException.class, () -> HostPath.create("nic", 1, 1));
          assertEquals(Errno.EBUSY, busy.errno());
        });
  }

  @Test
  void aClsactQdiscThatWasThereBeforeStays() throws Exception {
    System.setProperty(NicHook.WAY, "tc");
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("tc", "qdisc", "add", "dev", "nic", "clsact");
          try (HostRings host = HostPath.create("nic", 1, 1)) {
            host.cut(true);
          }
          assertTrue(command("tc", "qdisc", "show", "dev", "nic").contains("clsact"));
          assertEquals("", command("tc", "filter", "show", "dev", "nic", "egress"));
        });
  }

  @Test
  void aRefusalOfTheTcProgramIsToldInItsWords() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          TcGuardian.Filter wrong = new TcGuardian.Filter(true, 28275, false, "nonsense");
          NetmapException refused =
              assertThrows(
                  NetmapException.class,
                  () -> TcGuardian.start(NetDevice.of("nic"), List.of(wrong)));
          assertTrue(refused.toString().contains("classifier not found"), refused.toString());
          assertEquals(Errno.EOPNOTSUPP, refused.errno());
          assertNothingLeft();
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void theHostHearsItsNewAddress(String way) throws Exception {
    onANic(
        way,
        (host, tx, rx) -> {
          command("ip", "link", "set", "nic", "address", "02:00:00:00:00:77");
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(
                  () -> {
                    PoolRings.put(tx, Frames.ping("020000000077", PEER_MAC, NIC_IP, PEER_IP, 100));
                    PoolRings.sync(tx);
                    return PoolRings.take(rx).stream()
                        .anyMatch(frame -> Frames.mac(frame, 6).equals("020000000077"));
                  });
        });
  }

  @Test
  void aTapThatSomebodyDeletesFailsTheHostRings() throws Exception {
    onANic(
        "tcx",
        (host, tx, rx) -> {
          assertNull(host.failure());
          String tap = host.description().split(" ", -1)[1];
          command("ip", "link", "del", tap);
          PoolRings.take(rx);
          assertTrue(String.valueOf(host.failure()).contains(tap), host.failure());
        });
  }
}
