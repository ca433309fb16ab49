// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

class XdpQueuesTest {
  private static final int SLOTS = 64;

  @BeforeEach
  void needsTheRight() {
    try {
      Bpf.createXskMap(1).close();
    } catch (ErrnoException e) {
      Assumptions.abort("no right to use AF_XDP: " + e.getMessage());
    }
  }

  private static ConditionFactory patiently() {
    return Awaitility.await()
        .atMost(Duration.ofSeconds(5))
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(1));
  }

  /** One end of the cable in netmap mode. */
  private static final class End implements AutoCloseable {
    final NicQueues queues;
    final Kring[] tx;
    final Kring[] rx;
    final LooseRings rings;

    End(String name, LooseRings rings, int count) throws NetmapException {
      this.rings = rings;
      queues = new XdpFactory().create(name, rings.pool, RegisterRequest.of(name));
      tx = new Kring[count];
      rx = new Kring[count];
      try {
        for (int i = 0; i < count; i++) {
          tx[i] = rings.kring(i, true, queues::txSync);
          rx[i] = rings.kring(i, false, queues::rxSync);
          queues.open(i, tx[i], rx[i]);
        }
      } catch (NetmapException failed) {
        queues.close();
        throw failed;
      }
    }

    /** Puts a frame of one value into the next slot and shows it. */
    void send(int queue, int value, int length) {
      NetmapRing ring = rings.user(tx[queue]);
      int slot = ring.head();
      assertTrue(ring.space() > 0, "no room");
      Memory.fill(ring.buffer(slot), length, value);
      ring.set(slot, length, 0);
      ring.advanceTo(ring.after(slot, 1));
    }

    void syncTx(int queue) {
      LooseRings.sync(tx[queue]);
    }

    /** Waits for frames to be the user's. */
    NetmapRing await(int queue, int frames) {
      NetmapRing ring = rings.user(rx[queue]);
      patiently()
          .until(
              () -> {
                LooseRings.sync(rx[queue]);
                return ring.space() >= frames;
              });
      return ring;
    }

    @Override
    public void close() {
      queues.close();
    }
  }

  private interface Body {
    void run(End one, End other, LooseRings rings) throws Exception;
  }

  private static void onVeth(int bufferBytes, Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          try (LooseRings rings = new LooseRings(4, SLOTS, bufferBytes);
              End one = new End("vnm0", rings, 1);
              End other = new End("vnm1", rings, 1)) {
            body.run(one, other, rings);
          }
        });
  }

  private static void assertEachBufferOnce(LooseRings rings, End... ends) {
    Kring[] all =
        Arrays.stream(ends)
            .flatMap(end -> Arrays.stream(new Kring[][] {end.tx, end.rx}).flatMap(Arrays::stream))
            .toArray(Kring[]::new);
    int[] named = LooseRings.named(all);
    for (int i = 0; i < named.length; i++) {
      assertEquals(i + NetmapAbi.FIRST_BUFFER, named[i], Arrays.toString(named));
    }
    assertTrue(rings.pool.geometry().buffers() > named.length);
  }

  @Test
  void carriesFramesRoundTheRingsBothWaysAndLosesNoBuffer() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          for (int round = 0; round < 20; round++) {
            for (End[] way : new End[][] {{one, other}, {other, one}}) {
              int frames = 1 + round * 3;
              for (int i = 0; i < frames; i++) {
                way[0].send(0, round + i, 60 + 10 * i);
              }
              way[0].syncTx(0);
              assertEachBufferOnce(rings, one, other);
              NetmapRing ring = way[1].await(0, frames);
              assertEachBufferOnce(rings, one, other);
              for (int i = 0; i < frames; i++) {
                int slot = ring.head();
                assertEquals(60 + 10 * i, ring.length(slot));
                assertEquals(0, ring.flags(slot));
                assertEquals(round + i, Memory.getUnsignedByte(ring.buffer(slot)));
                assertEquals(
                    round + i, Memory.getUnsignedByte(ring.buffer(slot) + ring.length(slot) - 1));
                ring.advanceTo(ring.after(slot, 1));
              }
              LooseRings.sync(way[1].rx[0]);
              assertEachBufferOnce(rings, one, other);
            }
          }
          assertEquals(List.of(), one.queues.drops());
          assertEquals(List.of(), other.queues.drops());
        });
  }

  @Test
  void aBufferSwappedIntoTheOtherPortsRingIsSentFromThere() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          one.send(0, 77, 1514);
          one.syncTx(0);
          NetmapRing arrived = other.await(0, 1);
          NetmapRing back = rings.user(other.tx[0]);
          long from = other.rx[0].slot(arrived.head());
          long to = other.tx[0].slot(back.head());
          long full = Memory.getUnsignedInt(from);
          Memory.putInt(from, (int) Memory.getUnsignedInt(to));
          Memory.putInt(to, (int) full);
          back.set(back.head(), 1514, NetmapAbi.NS_BUF_CHANGED);
          back.advanceTo(back.after(back.head(), 1));
          arrived.advanceTo(arrived.after(arrived.head(), 1));
          other.syncTx(0);
          LooseRings.sync(other.rx[0]);
          assertEachBufferOnce(rings, one, other);
          NetmapRing ring = one.await(0, 1);
          assertEquals(77, Memory.getUnsignedByte(ring.buffer(ring.head()) + 1513));
        });
  }

  @Test
  void keepsOneSlotEmptyAndLosesNothingWhenTheReaderIsSlow() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          for (int i = 0; i < SLOTS - 1; i++) {
            one.send(0, i, 60);
          }
          one.syncTx(0);
          assertEquals(SLOTS - 1, other.await(0, SLOTS - 1).space());
          one.send(0, 200, 60);
          one.syncTx(0);
          LooseRings.sync(other.rx[0]);
          NetmapRing ring = rings.user(other.rx[0]);
          assertEquals(SLOTS - 1, ring.space());
          ring.advanceTo(ring.after(ring.head(), SLOTS - 1));
          other.await(0, 1);
          assertEquals(200, Memory.getUnsignedByte(ring.buffer(ring.head())));
        });
  }

  @Test
  void countsFramesThatFoundTheRingFull() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          for (int round = 0; round < 2; round++) {
            for (int i = 0; i < SLOTS / 2 + 8; i++) {
              one.send(0, i, 60);
            }
            one.syncTx(0);
          }
          patiently()
              .until(
                  () ->
                      other
                          .queues
                          .drops()
                          .equals(List.of(new DeviceDrops("the NIC had no free RX slot", 16))));
          assertEquals(SLOTS - 1, other.await(0, SLOTS - 1).space());
          assertEachBufferOnce(rings, one, other);
        });
  }

  @Test
  void refusesBadSlotsOneByOneAndSendsTheOthers() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          for (int i = 0; i < 5; i++) {
            one.send(0, i + 1, 60);
          }
          NetmapRing ring = rings.user(one.tx[0]);
          Memory.putInt(one.tx[0].slot(0), 1);
          Memory.putInt(one.tx[0].slot(1), -1);
          ring.set(2, 13, 0);
          ring.set(3, 2048 - LooseRings.SKEW + 1, 0);
          one.syncTx(0);
          NetmapRing arrived = other.await(0, 1);
          assertEquals(5, Memory.getUnsignedByte(arrived.buffer(arrived.head())));
          assertEquals(1, arrived.space());
          assertEquals(
              List.of(
                  new DeviceDrops(DropReason.NO_BUFFER.words(), 2),
                  new DeviceDrops(DropReason.TOO_LONG.words(), 1),
                  new DeviceDrops(DropReason.TOO_SHORT.words(), 1)),
              one.tx[0].drops());
          // As netmap: junk buffer 0, length 0; a sound index stays.
          assertEquals(0, Memory.getLong(one.tx[0].slot(1)));
          assertEquals(4, Memory.getLong(one.tx[0].slot(2)));
          assertEquals(SLOTS - 1, ring.space());
        });
  }

  @Test
  void dropsAFrameOfSeveralSlotsWholeAlsoWhenItsEndComesLater() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          NetmapRing ring = rings.user(one.tx[0]);
          for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 3; i++) {
              int slot = ring.head();
              ring.set(slot, 60, i < 2 ? NetmapAbi.NS_MOREFRAG : 0);
              ring.advanceTo(ring.after(slot, 1));
              if (i == round) {
                one.syncTx(0);
              }
            }
            one.syncTx(0);
          }
          one.send(0, 7, 60);
          one.syncTx(0);
          NetmapRing arrived = other.await(0, 1);
          assertEquals(1, arrived.space());
          assertEquals(7, Memory.getUnsignedByte(arrived.buffer(arrived.head())));
          assertEquals(
              List.of(new DeviceDrops(DropReason.FRAGMENTED.words(), 3)), one.tx[0].drops());
        });
  }

  @Test
  void receivesOnWithFewerBuffersWhenAReleasedSlotNamesNone() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          one.send(0, 1, 60);
          one.syncTx(0);
          NetmapRing ring = other.await(0, 1);
          Memory.putInt(other.rx[0].slot(0), 0x7fffffff);
          ring.advanceTo(1);
          for (int i = 0; i < 3 * SLOTS; i++) {
            one.send(0, i, 60);
            one.syncTx(0);
            other.await(0, 1);
            assertEquals(i & 0xff, Memory.getUnsignedByte(ring.buffer(ring.head())));
            ring.advanceTo(ring.after(ring.head(), 1));
          }
          LooseRings.sync(other.rx[0]);
          int[] named = LooseRings.named(other.rx[0]);
          assertEquals(0, named[0]);
          assertEquals(SLOTS, Arrays.stream(named).distinct().count());
        });
  }

  @Test
  void scribblesOverTheKernelsSlotsChangeNothing() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          int[] before = LooseRings.named(other.rx[0]);
          for (int i = 0; i < SLOTS; i++) {
            Memory.putLong(other.rx[0].slot(i), -1);
          }
          one.send(0, 5, 60);
          one.syncTx(0);
          NetmapRing ring = other.await(0, 1);
          assertNotEquals(0, ring.buffer(0));
          other.queues.close(0);
          assertArrayEquals(before, LooseRings.named(other.rx[0]));
        });
  }

  @Test
  void givesTheNicBackAndTakesItAgain() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          for (int i = 0; i < 10; i++) {
            one.send(0, i, 60);
            one.syncTx(0);
            other.await(0, 1);
            other.queues.close(0);
            assertFalse(command("ip", "link", "show", "vnm1").contains("xdp"));
            assertEachBufferOnce(rings, one, other);
            assertEquals(-1, other.queues.readyFd(other.rx[0]));
            restart(other.rx[0], 0);
            restart(other.tx[0], SLOTS - 1);
            other.queues.open(0, other.tx[0], other.rx[0]);
            assertTrue(command("ip", "link", "show", "vnm1").contains("xdp"));
          }
        });
  }

  private static void restart(Kring kring, int tail) {
    kring.hwcur = 0;
    kring.hwtail = tail;
    Memory.putInt(kring.ring + NetmapAbi.RING_HEAD, 0);
    Memory.putInt(kring.ring + NetmapAbi.RING_TAIL, tail);
  }

  @Test
  void servesEveryQueueAndEachFrameComesByItsOwn() throws Exception {
    NetworkNamespace.run(
        () -> {
          command(
              ("ip link add vnm0 numtxqueues 2 numrxqueues 2 type veth"
                      + " peer name vnm1 numtxqueues 2 numrxqueues 2")
                  .split(" "));
          command("ip", "link", "set", "vnm0", "addrgenmode", "none", "up");
          command("ip", "link", "set", "vnm1", "addrgenmode", "none", "up");
          try (LooseRings rings = new LooseRings(8, SLOTS, 2048);
              End one = new End("vnm0", rings, 2);
              End other = new End("vnm1", rings, 2)) {
            assertEquals(2, one.queues.config().rxRings());
            for (int queue = 0; queue < 2; queue++) {
              one.send(queue, 40 + queue, 60);
              one.syncTx(queue);
              NetmapRing ring = other.await(queue, 1);
              assertEquals(40 + queue, Memory.getUnsignedByte(ring.buffer(ring.head())));
              assertEquals(1, ring.space());
            }
            assertEachBufferOnce(rings, one, other);
          }
        });
  }

  @Test
  void aQueueThatWasNotTakenIsTheHosts() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          try (LooseRings rings = new LooseRings(2, SLOTS, 2048);
              End one = new End("vnm0", rings, 1);
              XdpProgram nobody = XdpProgram.attach("vnm1", NetDevice.of("vnm1").index(), 1)) {
            assertFalse(nobody.isGeneric());
            long before = received();
            one.send(0, 0xff, 60);
            one.syncTx(0);
            patiently().until(() -> received() == before + 1);
          }
        });
  }

  private static long received() throws Exception {
    Matcher packets =
        Pattern.compile("\"rx\":\\{\"bytes\":\\d+,\"packets\":(\\d+)")
            .matcher(command("ip", "-s", "-j", "link", "show", "vnm1"));
    assertTrue(packets.find());
    return Long.parseLong(packets.group(1));
  }

  @Test
  void wakesWhoeverWaitsForFrames() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          try (Epoll epoll = new Epoll(1)) {
            epoll.add(other.queues.readyFd(other.rx[0]), Epoll.IN, 1);
            assertEquals(-1, other.queues.readyFd(other.tx[0]));
            assertEquals(0, epoll.await(0));
            one.send(0, 1, 60);
            one.syncTx(0);
            assertEquals(1, epoll.await(5000));
            other.await(0, 1);
            assertEquals(0, epoll.await(0));
          }
          assertEachBufferOnce(rings, one, other);
        });
  }

  @Test
  void tellsWhenItsDeviceIsGone() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          assertNull(one.queues.failure());
          command("ip", "link", "del", "vnm0");
          one.send(0, 1, 60);
          one.syncTx(0);
          assertEquals("its network device is gone", one.queues.failure());
          assertEquals("its network device is gone", other.queues.failure());
          one.queues.close();
          other.queues.close();
          assertEachBufferOnce(rings, one, other);
        });
  }

  @Test
  void biggerBuffersTakeBiggerFrames() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1", "mtu 3400");
          try (LooseRings rings = new LooseRings(4, SLOTS, 2048)) {
            NetmapException refused =
                assertThrows(NetmapException.class, () -> new End("vnm0", rings, 1).close());
            assertTrue(refused.toString().contains("MTU 3400"), refused.getMessage());
            assertFalse(command("ip", "link", "show", "vnm0").contains("xdp"));
          }
          try (LooseRings rings = new LooseRings(4, SLOTS, 4096);
              End one = new End("vnm0", rings, 1);
              End other = new End("vnm1", rings, 1)) {
            one.send(0, 9, 3414);
            one.syncTx(0);
            NetmapRing ring = other.await(0, 1);
            assertEquals(3414, ring.length(ring.head()));
            assertEquals(9, Memory.getUnsignedByte(ring.buffer(ring.head()) + 3413));
          }
        });
  }

  @Test
  void completesTheChecksumsThatAVethPeerLeavesOut() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          command("ip", "addr", "add", "192.0.2.1/24", "dev", "vnm1");
          String[] neighbour =
              "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev vnm1".split(" ");
          command(neighbour);
          try (LooseRings rings = new LooseRings(2, SLOTS, 2048);
              End end = new End("vnm0", rings, 1);
              DatagramSocket socket = new DatagramSocket()) {
            byte[] words = new byte[101];
            Arrays.fill(words, (byte) 3);
            socket.send(
                new DatagramPacket(words, words.length, new InetSocketAddress("192.0.2.2", 9)));
            NetmapRing ring = end.await(0, 1);
            long frame = ring.buffer(ring.head());
            assertEquals(14 + 20 + 8 + words.length, ring.length(ring.head()));
            long sum = 17L + 8 + words.length;
            for (int at = 26; at < ring.length(ring.head()); at++) {
              sum += (long) Memory.getUnsignedByte(frame + at) << (at % 2 == 0 ? 8 : 0);
            }
            assertEquals(0xffff, (sum & 0xffff) + (sum >> 16));
          }
        });
  }

  @Test
  void saysWhichProgramIsInTheWay() throws Exception {
    onVeth(
        2048,
        (one, other, rings) -> {
          try (LooseRings more = new LooseRings(2, SLOTS, 2048)) {
            NetmapException busy =
                assertThrows(NetmapException.class, () -> new End("vnm0", more, 1).close());
            assertTrue(busy.toString().contains("another XDP program"), busy.getMessage());
          }
          assertNotNull(one.queues.description());
          assertEquals("AF_XDP, copy mode", other.queues.description());
          assertNotNull(rings);
        });
  }
}
