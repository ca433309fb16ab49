// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.offload.Packets;
import org.vhostnetmap.netmap.offload.VnetHeader;

/** Users of VALE ports that write whatever they like into the memory that they have in common. */
final class HostileUserTest {
  private static final int SLOTS = 16;
  private static final long ADDRESS = 0x0000_0000_0202L;
  private static final long OTHER = 0x0000_0000_0302L;

  private final EmulatedDevice device = Netmap.emulated();
  private final List<EmulatedPort> ports = new ArrayList<>();
  private final Random random = new Random(11);

  @AfterEach
  void close() {
    ports.forEach(NetmapPort::close);
  }

  private EmulatedPort open(String name) throws Exception {
    RegisterRequest request =
        RegisterRequest.of("vale0:" + name)
            .withRings(1, 1, SLOTS, SLOTS)
            .withFlags(NetmapAbi.NR_ACCEPT_VNET_HDR);
    EmulatedPort port = (EmulatedPort) device.register(request);
    ports.add(port);
    return port;
  }

  private static void put(NetmapRing ring, byte[] frame) {
    int slot = ring.head();
    Memory.copyFromArray(frame, 0, ring.buffer(slot), frame.length);
    ring.set(slot, frame.length, 0);
    ring.advanceTo(ring.after(slot, 1));
  }

  private static byte[] frame(long to, long from, int filler) {
    byte[] frame = new byte[100];
    Arrays.fill(frame, (byte) filler);
    for (int i = 0; i < 6; i++) {
      frame[i] = (byte) (to >> (8 * i));
      frame[6 + i] = (byte) (from >> (8 * i));
    }
    return frame;
  }

  private static List<byte[]> receive(NetmapPort port) {
    port.rxSync();
    NetmapRing ring = port.rxRings().get(0);
    List<byte[]> frames = new ArrayList<>();
    int tail = ring.tail();
    int slot = ring.head();
    for (; slot != tail; slot = ring.after(slot, 1)) {
      byte[] frame = new byte[ring.length(slot)];
      if (ring.buffer(slot) != 0) {
        Memory.copyToArray(ring.buffer(slot), frame, 0, frame.length);
      }
      frames.add(frame);
    }
    ring.advanceTo(slot);
    return frames;
  }

  private static byte[] region(EmulatedPort port) {
    Pool memory = port.adapter().memory();
    byte[] bytes = new byte[(int) memory.bytes()];
    Memory.copyToArray(memory.address(), bytes, 0, bytes.length);
    return bytes;
  }

  /** Random bytes over a ring's header and slots, but for where NetmapRing found its geometry. */
  private void scribble(NetmapRing ring) {
    long at = ring.address();
    for (int i = 0; i < 8; i++) {
      switch (random.nextInt(4)) {
        case 0 -> Memory.putInt(at + NetmapAbi.RING_HEAD + 4L * random.nextInt(3), oddIndex());
        case 1 -> Memory.putLong(at + 8L * random.nextInt(32), random.nextLong());
        default -> {
          long slot = at + NetmapAbi.RING_BYTES + 16L * random.nextInt(SLOTS);
          Memory.putInt(slot, oddIndex());
          Memory.putInt(slot + 4, random.nextInt());
          Memory.putLong(slot + 8, random.nextLong());
        }
      }
    }
  }

  private int oddIndex() {
    return random.nextBoolean() ? random.nextInt(2 * SLOTS) : random.nextInt();
  }

  @Test
  void aSenderThatScribblesHarmsNobodyElsesMemoryOrFrames() throws Exception {
    EmulatedPort bad = open("bad");
    EmulatedPort b = open("b");
    EmulatedPort c = open("c");
    put(c.txRings().get(0), frame(0xffffffffffffL, OTHER, 1));
    c.txSync();
    receive(b);
    receive(bad);
    put(b.txRings().get(0), frame(OTHER, ADDRESS, 2));
    b.txSync();
    assertEquals(1, receive(c).size());
    NetmapRing own = b.txRings().get(0);
    for (int slot = 0; slot < SLOTS; slot++) {
      Memory.fill(own.buffer(slot) + 1000, 1048, 0x77);
    }
    Pool memory = b.adapter().memory();
    for (int buffer = firstFree(memory); buffer < memory.geometry().buffers(); buffer++) {
      Memory.fill(memory.data(buffer), 2048, 0x77);
    }
    for (int round = 0; round < 20_000; round++) {
      scribble(bad.txRings().get(0));
      bad.txSync();
      receive(b);
      // What the bad one sent may have taught the switch anything, so C says where it is.
      put(c.txRings().get(0), frame(ADDRESS, OTHER, 3));
      c.txSync();
      receive(c);
      byte[] good = frame(OTHER, ADDRESS, round);
      put(b.txRings().get(0), good);
      b.txSync();
      List<byte[]> got = receive(c);
      assertArrayEquals(good, got.get(got.size() - 1), "round " + round);
    }
    List<String> reasons = bad.drops().stream().map(NetmapPort.DeviceDrops::reason).toList();
    assertTrue(reasons.contains(DropReason.NO_BUFFER.words()), () -> "" + reasons);
    assertTrue(reasons.contains(DropReason.TOO_LONG.words()), () -> "" + reasons);
    assertUntouched(own, memory);
  }

  private static int firstFree(Pool memory) {
    return memory.geometry().buffers() - memory.freeBuffers();
  }

  /** What is longer than a buffer would have run into the next ones. */
  private static void assertUntouched(NetmapRing own, Pool memory) {
    for (int slot = 0; slot < SLOTS; slot++) {
      for (int at = 1000; at < 2048; at++) {
        assertEquals(0x77, Memory.getUnsignedByte(own.buffer(slot) + at));
      }
    }
    for (int buffer = firstFree(memory); buffer < memory.geometry().buffers(); buffer++) {
      for (int at = 0; at < 2048; at++) {
        assertEquals(0x77, Memory.getUnsignedByte(memory.data(buffer) + at));
      }
    }
  }

  @Test
  void aReceiverThatScribblesHarmsOnlyItself() throws Exception {
    EmulatedPort a = open("a");
    EmulatedPort bad = open("bad");
    EmulatedPort bystander = open("by");
    put(bad.txRings().get(0), frame(0xffffffffffffL, OTHER, 1));
    bad.txSync();
    receive(a);
    receive(bystander);
    byte[] before = region(bystander);
    for (int round = 0; round < 20_000; round++) {
      scribble(bad.rxRings().get(0));
      put(a.txRings().get(0), frame(OTHER, ADDRESS, round));
      a.txSync();
      assertEquals(SLOTS - 1, a.txRings().get(0).space(), "the sender gets its slots back");
      bad.rxSync();
    }
    assertArrayEquals(before, region(bystander));
    bad.close();
    put(a.txRings().get(0), frame(OTHER, ADDRESS, 5));
    a.txSync();
    assertArrayEquals(frame(OTHER, ADDRESS, 5), receive(bystander).get(0), "flooded again");
  }

  /** T-offload, through a switch: any header before a frame for a port that has none. */
  @Test
  void anyHeaderEitherWorksOrIsCounted() throws Exception {
    EmulatedPort a = open("a");
    EmulatedPort b = open("b");
    device.setHeaderLength("vale0:a", 12);
    int[] words = {0, 1, 13, 14, 33, 34, 54, 1000, 0x7fff, 0xffff};
    int[] types = {0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x84, 0xff};
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    long sent = 0;
    long faults = 0;
    for (int length : new int[] {0, 11, 12, 13, 26, 66, 67, 1514, 2036}) {
      byte[] packet = Packets.build(kind, 2000, random);
      for (int flags : new int[] {0, 1, 3, 0xff}) {
        for (int type : types) {
          for (int word : words) {
            byte[] frame = new byte[length];
            byte[] header = header(flags, type, word, words[random.nextInt(words.length)]);
            System.arraycopy(header, 0, frame, 0, Math.min(12, length));
            System.arraycopy(packet, 0, frame, Math.min(12, length), Math.max(0, length - 12));
            put(a.txRings().get(0), frame);
            a.txSync();
            sent++;
            List<byte[]> got = receive(b);
            faults += got.isEmpty() ? 1 : 0;
            got.forEach(one -> assertTrue(one.length <= 2036));
          }
        }
      }
    }
    long dropped = a.drops().stream().mapToLong(NetmapPort.DeviceDrops::frames).sum();
    long full = b.drops().stream().mapToLong(NetmapPort.DeviceDrops::frames).sum();
    assertTrue(faults > 0 && faults < sent);
    // A packet of many segments may find the small ring full, and then it is the receiver's loss.
    assertTrue(dropped + full >= faults, () -> a.drops() + " " + b.drops());
    assertTrue(dropped <= faults);
  }

  private static byte[] header(int flags, int type, int size, int start) {
    byte[] header = new byte[12];
    header[0] = (byte) flags;
    header[1] = (byte) type;
    header[4] = (byte) size;
    header[5] = (byte) (size >> 8);
    header[6] = (byte) start;
    header[7] = (byte) (start >> 8);
    header[8] = 16;
    return header;
  }

  /** T-toctou: header and packet change under the switch's hands. */
  @Test
  void aHeaderThatChangesMeanwhileNeverMakesAFrameTooLong() throws Exception {
    EmulatedPort a = open("a");
    EmulatedPort b = open("b");
    device.setHeaderLength("vale0:a", 12);
    Packets.Kind kind = new Packets.Kind(true, true, 0, 8, 12);
    byte[] packet = Packets.build(kind, 1900, random);
    NetmapRing tx = a.txRings().get(0);
    for (int slot = 0; slot < SLOTS; slot++) {
      Memory.copyFromArray(packet, 0, tx.buffer(slot) + 12, packet.length);
    }
    AtomicBoolean stop = new AtomicBoolean();
    try (ExecutorService threads = Executors.newFixedThreadPool(1)) {
      Future<?> flipper = threads.submit(() -> flip(tx, stop));
      try {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        while (System.nanoTime() < end) {
          int slot = tx.head();
          tx.set(slot, 12 + packet.length, 0);
          tx.advanceTo(tx.after(slot, 1));
          a.txSync();
          receive(b).forEach(one -> assertTrue(one.length <= 2048));
        }
      } finally {
        stop.set(true);
      }
      flipper.get(10, TimeUnit.SECONDS);
    }
  }

  private static void flip(NetmapRing tx, AtomicBoolean stop) {
    Random random = new Random(12);
    byte[][] headers = {
      header(1, VnetHeader.GSO_TCPV6, 500, 62),
      header(1, 0, 0, 62),
      header(1, VnetHeader.GSO_TCPV6, 1, 0xffff),
      header(0, 0, 0, 0),
      header(1, VnetHeader.GSO_UDP_L4, 0xffff, 14)
    };
    while (!stop.get()) {
      long buffer = tx.buffer(random.nextInt(SLOTS));
      if (buffer != 0) {
        byte[] header = headers[random.nextInt(headers.length)];
        Memory.copyFromArray(header, 0, buffer, 12);
        // Ethertype, version and next header, data offset, hop by hop.
        int[] places = {24, 25, 26, 32, 66, 67, 12 + 62 + 12};
        Memory.putByte(buffer + places[random.nextInt(places.length)], random.nextInt());
        Memory.putLong(buffer + 24, 0x0060_dd86L);
      }
    }
  }
}
