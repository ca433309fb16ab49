// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Kring;

class PacketQueuesTest {
  private static final String NIC_MAC = "020000000001";
  private static final String PEER_MAC = "020000000002";
  private static final String NIC_IP = "192.0.2.1";
  private static final String PEER_IP = "192.0.2.2";
  private static final int USABLE = 2048 - 256;

  @AfterEach
  void forget() {
    System.clearProperty(NicHook.WAY);
  }

  /** One end of a cable in netmap mode. */
  private static final class End implements AutoCloseable {
    final NicQueues queues;
    final Kring[] tx;
    final Kring[] rx;
    final PoolRings rings;

    End(String nic, int count) throws Exception {
      rings = new PoolRings(2048, 256);
      queues = PacketQueues.FACTORY.create(nic, rings.pool, RegisterRequest.of(nic));
      tx = new Kring[count];
      rx = new Kring[count];
      for (int i = 0; i < count; i++) {
        tx[i] = rings.kring(i, true, false, queues::txSync);
        rx[i] = rings.kring(i, false, false, queues::rxSync);
        queues.open(i, tx[i], rx[i]);
      }
    }

    void send(byte[]... frames) {
      for (byte[] frame : frames) {
        for (int at = 0; at < frame.length; at += USABLE) {
          int end = Math.min(frame.length, at + USABLE);
          int flags = end < frame.length ? NetmapAbi.NS_MOREFRAG : 0;
          PoolRings.put(tx[0], Arrays.copyOfRange(frame, at, end), flags);
        }
      }
      PoolRings.sync(tx[0]);
    }

    List<byte[]> await(int queue, int count, Predicate<byte[]> wanted) {
      List<byte[]> found = new ArrayList<>();
      Awaitility.await()
          .atMost(Duration.ofSeconds(10))
          .pollDelay(Duration.ZERO)
          .pollInterval(Duration.ofMillis(1))
          .until(
              () -> {
                PoolRings.take(rx[queue]).stream().filter(wanted).forEach(found::add);
                return found.size() >= count;
              });
      assertEquals(count, found.size());
      return found;
    }

    @Override
    public void close() {
      queues.close();
      rings.assertNoBufferLost();
      rings.close();
    }
  }

  private static boolean isTest(byte[] frame) {
    return Frames.type(frame) == 0x88b5;
  }

  private static byte[] test(int length, int number) {
    byte[] frame = new byte[length];
    new Random(number).nextBytes(frame);
    byte[] header = Frames.of(PEER_MAC + NIC_MAC + "88b5");
    System.arraycopy(header, 0, frame, 0, 14);
    return frame;
  }

  private interface Body {
    void run(End nic, End peer) throws Exception;
  }

  private static void onTwoEnds(String mtu, Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire", "mtu " + mtu);
          try (End nic = new End("nic", 1);
              End wire = new End("wire", 1)) {
            body.run(nic, wire);
          }
          HostPathTest.assertNothingLeft();
        });
  }

  @Test
  void carriesFramesOfAllSizesInOrder() throws Exception {
    onTwoEnds(
        "1500",
        (nic, wire) -> {
          byte[][] frames = new byte[100][];
          for (int i = 0; i < frames.length; i++) {
            frames[i] = test(60 + i * (1514 - 60) / 99, i);
          }
          nic.send(frames);
          List<byte[]> got = wire.await(0, frames.length, PacketQueuesTest::isTest);
          for (int i = 0; i < frames.length; i++) {
            assertArrayEquals(frames[i], got.get(i), "frame " + i);
          }
          assertEquals(List.of(), nic.tx[0].drops());
          assertEquals(List.of(), wire.rx[0].drops());
        });
  }

  @Test
  void longFramesAreChainsOfSlotsBothWays() throws Exception {
    onTwoEnds(
        "9000",
        (nic, wire) -> {
          byte[][] frames = new byte[12][];
          for (int i = 0; i < frames.length; i++) {
            frames[i] = test(i % 3 == 0 ? 200 : 9014 - i, i);
          }
          nic.send(frames);
          List<byte[]> got = wire.await(0, frames.length, PacketQueuesTest::isTest);
          for (int i = 0; i < frames.length; i++) {
            assertArrayEquals(frames[i], got.get(i), "frame " + i);
          }
        });
  }

  @Test
  void aChainWithoutItsEndWaitsForIt() throws Exception {
    onTwoEnds(
        "9000",
        (nic, wire) -> {
          byte[] frame = test(3000, 1);
          PoolRings.put(nic.tx[0], Arrays.copyOf(frame, USABLE), NetmapAbi.NS_MOREFRAG);
          PoolRings.sync(nic.tx[0]);
          assertEquals(0, nic.tx[0].hwcur);
          PoolRings.put(nic.tx[0], Arrays.copyOfRange(frame, USABLE, 3000), 0);
          PoolRings.sync(nic.tx[0]);
          assertEquals(2, nic.tx[0].hwcur);
          assertArrayEquals(frame, wire.await(0, 1, PacketQueuesTest::isTest).getFirst());
        });
  }

  @Test
  void vlanTagsAreWhereTheyWere() throws Exception {
    onTwoEnds(
        "1500",
        (nic, wire) -> {
          byte[] one = Frames.of(PEER_MAC + NIC_MAC + "8100a005" + "0800 4500");
          byte[] two = Frames.of(PEER_MAC + NIC_MAC + "88a80007" + "81000008" + "88b5 01");
          byte[] full = test(1518, 3);
          Frames.put(full, 12, 0x8100);
          nic.send(one, two, full);
          List<byte[]> got = wire.await(0, 3, frame -> Frames.mac(frame, 6).equals(NIC_MAC));
          assertArrayEquals(one, got.get(0));
          assertArrayEquals(two, got.get(1));
          assertArrayEquals(full, got.get(2));
        });
  }

  @Test
  void badFramesAreDroppedWithTheirReasonAndTheOthersGo() throws Exception {
    onTwoEnds(
        "1500",
        (nic, wire) -> {
          Kring tx = nic.tx[0];
          PoolRings.put(tx, test(60, 1));
          PoolRings.put(tx, new byte[10]);
          PoolRings.put(tx, test(60, 2));
          int tooLong = tx.rhead;
          PoolRings.put(tx, test(60, 3));
          tx.setSlot(tooLong, USABLE + 1, 0);
          int noBuffer = tx.rhead;
          PoolRings.put(tx, test(60, 4));
          long buffer = tx.bufferIndex(noBuffer);
          tx.setBufferIndex(noBuffer, 1 << 30);
          PoolRings.put(tx, test(1600, 5));
          PoolRings.put(tx, test(60, 6));
          PoolRings.sync(tx);
          assertEquals(tx.rhead, tx.hwcur);
          List<byte[]> got = wire.await(0, 3, PacketQueuesTest::isTest);
          assertArrayEquals(test(60, 6), got.get(2));
          assertEquals(4, tx.drops().stream().mapToLong(drops -> drops.frames()).sum());
          assertEquals(3, tx.drops().size(), tx.drops().toString());
          tx.setBufferIndex(noBuffer, buffer);
        });
  }

  /** The peer is a host of its own: a namespace whose end has an address. */
  private static void onANicAndAHost(String way, Body2 body) throws Exception {
    System.setProperty(NicHook.WAY, way);
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "wire", "address", "02:00:00:00:00:02");
          command("ip", "addr", "add", PEER_IP + "/24", "dev", "wire");
          command("ip", "neigh", "add", NIC_IP, "lladdr", "02:00:00:00:00:01", "dev", "wire");
          try (End nic = new End("nic", 1)) {
            body.run(nic);
          }
          HostPathTest.assertNothingLeft();
        });
  }

  private interface Body2 {
    void run(End nic) throws Exception;
  }

  @Test
  void partialChecksumsOfAPeersStackAreCompleted() throws Exception {
    onANicAndAHost(
        "tcx",
        nic -> {
          try (DatagramSocket socket = new DatagramSocket()) {
            for (int size : new int[] {1, 100, 1472}) {
              InetAddress to = InetAddress.getByName(NIC_IP);
              socket.send(new DatagramPacket(new byte[size], size, to, 9));
            }
          }
          for (byte[] frame :
              nic.await(0, 3, frame -> Frames.type(frame) == 0x0800 && frame[23] == 17)) {
            assertEquals(0xffff, Frames.transportSum(frame, 14));
          }
        });
  }

  @Test
  void longSegmentsOfAPeersStackAreCut() throws Exception {
    onANicAndAHost(
        "tcx",
        nic -> {
          // A TCP of four frames: SYN, SYN+ACK, ACK by us; then one write of many segments.
          try (TcpPeer peer = new TcpPeer(nic)) {
            byte[] data = new byte[40_000];
            new Random(5).nextBytes(data);
            assertArrayEquals(data, peer.receive(data));
          }
          assertEquals(List.of(), nic.rx[0].drops());
        });
  }

  /** As much of TCP as takes data from a socket of this host. */
  private static final class TcpPeer implements AutoCloseable {
    private final End nic;
    private final java.nio.channels.SocketChannel socket;
    private long next;
    private int port;

    TcpPeer(End nic) throws Exception {
      this.nic = nic;
      socket = java.nio.channels.SocketChannel.open();
      socket.configureBlocking(false);
      socket.connect(new java.net.InetSocketAddress(NIC_IP, 5001));
      byte[] syn = nic.await(0, 1, TcpPeer::isTcp).getFirst();
      port = Frames.word(syn, 34);
      next = sequence(syn) + 1;
      // SYN and ACK with a maximum segment of 1460 bytes and a wide window.
      answer(0x12, 1000, "020405b4" + "01030307");
      Awaitility.await().atMost(Duration.ofSeconds(5)).until(socket::finishConnect);
    }

    static boolean isTcp(byte[] frame) {
      return Frames.type(frame) == 0x0800 && frame[23] == 6;
    }

    private static long sequence(byte[] frame) {
      return ((long) Frames.word(frame, 38) << 16) | Frames.word(frame, 40);
    }

    private void answer(int flags, int sequence, String options) {
      String hex =
          PEER_MAC
              + NIC_MAC
              + "0800"
              + "4500"
              + "0000"
              + "0001"
              + "4000"
              + "4006"
              + "0000"
              + Frames.hex(NIC_IP)
              + Frames.hex(PEER_IP)
              + "1389"
              + java.util.HexFormat.of().toHexDigits((short) port)
              + java.util.HexFormat.of().toHexDigits(sequence)
              + java.util.HexFormat.of().toHexDigits((int) next)
              + java.util.HexFormat.of().toHexDigits((byte) ((5 + options.length() / 8) << 4))
              + java.util.HexFormat.of().toHexDigits((byte) flags)
              + "ffff"
              + "0000"
              + "0000"
              + options;
      byte[] frame = java.util.HexFormat.of().parseHex(hex);
      Frames.put(frame, 16, frame.length - 14);
      Frames.put(frame, 24, ~Frames.sum(frame, 14, 20, 0) & 0xffff);
      Frames.put(frame, 50, ~Frames.transportSum(frame, 14) & 0xffff);
      nic.send(frame);
    }

    /** Has the host send {@code data}, and takes it. */
    byte[] receive(byte[] data) throws Exception {
      java.nio.ByteBuffer left = java.nio.ByteBuffer.wrap(data);
      byte[] got = new byte[data.length];
      long first = next;
      while (next - first < data.length) {
        socket.write(left);
        for (byte[] frame : PoolRings.take(nic.rx[0])) {
          if (isTcp(frame)) {
            assertEquals(0xffff, Frames.transportSum(frame, 14), "checksum of a segment");
            assertTrue(frame.length <= 1514, frame.length + " bytes");
            int header = 34 + 4 * ((frame[46] >> 4) & 0xf);
            int bytes = Frames.word(frame, 16) + 14 - header;
            if (sequence(frame) == (next & 0xffffffffL) && bytes > 0) {
              System.arraycopy(frame, header, got, (int) (next - first), bytes);
              next += bytes;
              answer(0x10, 1001, "");
            }
          }
        }
      }
      return got;
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void theHostNeverAnswersByItself(String way) throws Exception {
    System.setProperty(NicHook.WAY, way);
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "nic", "address", "02:00:00:00:00:01");
          command("ip", "addr", "add", NIC_IP + "/24", "dev", "nic");
          byte[] request = Frames.arpRequest(PEER_MAC, PEER_IP, NIC_IP);
          try (End wire = new End("wire", 1)) {
            wire.send(request);
            wire.await(0, 1, frame -> Frames.type(frame) == 0x0806);
            try (End nic = new End("nic", 1)) {
              wire.send(request);
              nic.await(0, 1, frame -> Frames.type(frame) == 0x0806);
              assertEquals(List.of(), PoolRings.take(wire.rx[0]));
            }
            wire.send(request);
            wire.await(0, 1, frame -> Frames.type(frame) == 0x0806);
          }
          HostPathTest.assertNothingLeft();
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void hostRingsReachTheHostPastTheBlockAndAreNotSeenAgain(String way) throws Exception {
    System.setProperty(NicHook.WAY, way);
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "nic", "address", "02:00:00:00:00:01");
          command("ip", "addr", "add", NIC_IP + "/24", "dev", "nic");
          try (End nic = new End("nic", 1);
              HostRings host = HostPath.create("nic", 1, 1)) {
            Kring hostTx = nic.rings.kring(1, true, true, host::txSync);
            Kring hostRx = nic.rings.kring(1, false, true, host::rxSync);
            host.cut(true);
            host.open(0, hostTx);
            host.open(0, hostRx);
            PoolRings.put(hostTx, Frames.arpRequest(PEER_MAC, PEER_IP, NIC_IP));
            PoolRings.sync(hostTx);
            List<byte[]> replies = new ArrayList<>();
            Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .until(() -> replies.addAll(PoolRings.take(hostRx)));
            assertEquals(0x0806, Frames.type(replies.getFirst()));
            assertEquals(List.of(), PoolRings.take(nic.rx[0]), "our own frame came back");
          }
          HostPathTest.assertNothingLeft();
        });
  }

  @Test
  void eachQueueGetsItsOwnFramesAndTheHostKeepsTheOthers() throws Exception {
    for (String way : new String[] {"tcx", "tc"}) {
      System.setProperty(NicHook.WAY, way);
      NetworkNamespace.run(
          () -> {
            command(
                "ip link add nic numrxqueues 2 numtxqueues 2 type veth peer name wire numrxqueues 2"
                    .concat(" numtxqueues 2")
                    .split(" ", -1));
            for (String end : new String[] {"nic", "wire"}) {
              command("ip", "link", "set", end, "addrgenmode", "none", "up");
            }
            command("ip", "link", "set", "nic", "address", "02:00:00:00:00:01");
            command("ip", "link", "set", "wire", "address", "02:00:00:00:00:02");
            command("ip", "addr", "add", PEER_IP + "/24", "dev", "wire");
            command("ip", "neigh", "add", NIC_IP, "lladdr", "02:00:00:00:00:01", "dev", "wire");
            try (End nic = new End("nic", 2)) {
              assertEquals(2, nic.queues.config().rxRings());
              sendFlows(64);
              List<byte[]> first = PoolRings.take(nic.rx[0]);
              List<byte[]> second = PoolRings.take(nic.rx[1]);
              assertEquals(64, first.size() + second.size());
              assertTrue(!first.isEmpty() && !second.isEmpty(), first.size() + " in the first");
              long before = udpIn();
              nic.queues.close(0);
              sendFlows(64);
              assertEquals(List.of(), PoolRings.take(nic.rx[0]));
              int mine = PoolRings.take(nic.rx[1]).size();
              assertTrue(mine > 0 && mine < 64, mine + " of 64");
              assertEquals(64 - mine, udpIn() - before, "frames of the host's queue");
            }
            HostPathTest.assertNothingLeft();
          });
    }
  }

  /** The peer may have more queues than we have, and a NIC may get more under way. */
  @Test
  void framesThatBearNoQueuesNumberComeByTheLastOne() throws Exception {
    for (String way : new String[] {"tcx", "tc"}) {
      System.setProperty(NicHook.WAY, way);
      NetworkNamespace.run(
          () -> {
            command(
                "ip link add nic numrxqueues 2 numtxqueues 2 type veth peer name wire numrxqueues 4"
                    .concat(" numtxqueues 4")
                    .split(" ", -1));
            for (String end : new String[] {"nic", "wire"}) {
              command("ip", "link", "set", end, "addrgenmode", "none", "up");
            }
            command("ip", "addr", "add", PEER_IP + "/24", "dev", "wire");
            command("ip", "neigh", "add", NIC_IP, "lladdr", "02:00:00:00:00:01", "dev", "wire");
            try (End nic = new End("nic", 2)) {
              sendFlows(64);
              int first = PoolRings.take(nic.rx[0]).size();
              assertEquals(64, first + PoolRings.take(nic.rx[1]).size());
            }
          });
    }
  }

  private static void sendFlows(int count) throws Exception {
    for (int i = 0; i < count; i++) {
      try (DatagramSocket socket = new DatagramSocket()) {
        InetAddress to = InetAddress.getByName(NIC_IP);
        socket.send(new DatagramPacket(new byte[20], 20, to, 9));
      }
    }
  }

  /** IP packets that the namespace's stack has received, whatever it did with them. */
  private static long udpIn() throws Exception {
    String[] lines = command("cat", "/proc/thread-self/net/snmp").split("\n", -1);
    return Long.parseLong(lines[1].split(" ", -1)[3]);
  }

  @Test
  void wakesWhoeverWaitsOnItsDescriptor() throws Exception {
    onTwoEnds(
        "1500",
        (nic, wire) -> {
          try (Epoll epoll = new Epoll(1)) {
            PoolRings.take(wire.rx[0]);
            epoll.add(wire.queues.readyFd(wire.rx[0]), Epoll.IN, 1);
            assertEquals(0, epoll.await(0));
            assertEquals(-1, wire.queues.readyFd(wire.tx[0]));
            nic.send(test(60, 1));
            assertEquals(1, epoll.await(5000));
          }
        });
  }

  @Test
  void aFullRingKeepsFramesInTheKernelAndLosesNoBuffer() throws Exception {
    onTwoEnds(
        "1500",
        (nic, wire) -> {
          for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 100; i++) {
              PoolRings.put(nic.tx[0], test(60 + i, 100 * round + i));
            }
            PoolRings.sync(nic.tx[0]);
            wire.rings.assertNoBufferLost();
          }
          List<byte[]> got = wire.await(0, 400, PacketQueuesTest::isTest);
          assertArrayEquals(test(159, 399), got.get(399));
        });
  }

  @Test
  void saysWhenItsDeviceIsGoneAndLeavesNothing() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          try (End nic = new End("nic", 1)) {
            assertNull(nic.queues.failure());
            command("ip", "link", "set", "nic", "down");
            PoolRings.take(nic.rx[0]);
            nic.send(test(60, 1));
            assertNull(nic.queues.failure(), "down is not gone");
            command("ip", "link", "set", "nic", "up");
            nic.send(test(60, 2));
            command("ip", "link", "del", "nic");
            PoolRings.take(nic.rx[0]);
            nic.send(test(60, 3));
            assertNotNull(nic.queues.failure());
          }
        });
    NetworkNamespace.run(
        () -> {
          NetmapException none = assertThrows(NetmapException.class, () -> new End("none", 1));
          assertTrue(none.toString().contains("none"), none.toString());
        });
  }
}
