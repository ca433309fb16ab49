// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;
import static org.vhostnetmap.fakes.FakeDriver.WRITE;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.fakes.FakeRing.Raw;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** Packed rings only: flags, wrap counters and what the ring looks like (virtio 1.3, 2.8). */
class PackedRulesTest {
  private static final int SIZE = 7;

  private static TestRing ring() {
    return TestRing.of(RingFormat.PACKED, SIZE);
  }

  private static Raw raw(TestRing ring, int flags) {
    return new Raw(ring.driver.arena(), 8, flags);
  }

  private static byte[] bytesOf(TestRing ring) {
    byte[] bytes = new byte[16 * ring.driver.size() + 8];
    Memory.copyToArray(ring.driver.host(ring.driver.descriptorArea()), bytes, 0, bytes.length);
    return bytes;
  }

  private static void put(byte[] where, int offset, int... values) {
    for (int value : values) {
      where[offset++] = (byte) value;
    }
  }

  /** Both laps, byte by byte: nothing but the second halves of the heads' slots is written. */
  @Test
  void writesLengthIdAndFlagsIntoTheFirstSlotOfEachChainAndNothingElse() throws GuestFault {
    try (TestRing ring = new TestRing(Options.packed(SIZE).direction(Direction.WRITABLE))) {
      int first = ring.driver.postReceive(100, 100); // slots 0, 1
      int second = ring.driver.postReceive(50); // 2
      int third = ring.driver.postReceive(8, 8, 8); // 3, 4, 5
      assertEquals(3, ring.peek());
      byte[] expected = bytesOf(ring);
      ring.chains.written[0] = 0x01020304;
      ring.chains.written[1] = 0;
      ring.chains.written[2] = 0x80000001;
      ring.queue.complete(ring.chains, 3);
      ring.queue.publish();
      put(expected, 8, 4, 3, 2, 1, first, 0, WRITE | 0x80, 0x80);
      put(expected, 16 * 2 + 8, 0, 0, 0, 0, second, 0, 0x80, 0x80);
      put(expected, 16 * 3 + 8, 1, 0, 0, 0x80, third, 0, WRITE | 0x80, 0x80);
      assertArrayEquals(expected, bytesOf(ring));
      for (int i = 0; i < 3; i++) {
        ring.driver.takeUsed();
      }
      int fourth = ring.driver.postReceive(16, 16); // 6, and 0 in the next lap
      assertEquals(1, ring.peek());
      expected = bytesOf(ring);
      ring.chains.written[0] = 20;
      ring.queue.complete(ring.chains, 1);
      ring.queue.publish();
      put(expected, 16 * 6 + 8, 20, 0, 0, 0, fourth, 0, WRITE | 0x80, 0x80);
      assertArrayEquals(expected, bytesOf(ring));
      assertEquals(1, ring.queue.usedIndex());
      ring.driver.takeUsed();
      int fifth = ring.driver.postReceive(16); // 1: AVAIL and USED are both 0 now when used
      assertEquals(1, ring.peek());
      expected = bytesOf(ring);
      ring.chains.written[0] = 9;
      ring.queue.complete(ring.chains, 1);
      ring.queue.publish();
      put(expected, 16 + 8, 9, 0, 0, 0, fifth, 0, WRITE, 0);
      assertArrayEquals(expected, bytesOf(ring));
    }
  }

  @Test
  void showsTheFirstOfABurstLast() throws GuestFault {
    try (TestRing ring = ring()) {
      for (int i = 0; i < 3; i++) {
        ring.driver.send(new byte[] {1});
      }
      assertEquals(3, ring.peek());
      ring.queue.complete(ring.chains, 1);
      ring.chains.clear();
      assertEquals(2, ring.queue.peek(ring.chains, 2));
      ring.queue.complete(ring.chains, 2);
      assertEquals(1 << 7, ring.packed().flags(0), "the driver sees nothing yet");
      ring.queue.publish();
      assertEquals(1 << 15 | 1 << 7, ring.packed().flags(0));
    }
  }

  @Test
  void writesOneElementForABatchInOrderWhenNothingWasWritten() throws GuestFault {
    try (TestRing ring = new TestRing(Options.packed(SIZE).withInOrder(true).startingAt(5))) {
      ring.driver.send(new byte[] {1}); // slot 5
      int[] ids = new int[3];
      ids[0] = ring.driver.send(new byte[] {1}, new byte[] {2}); // 6 and 0
      ids[1] = ring.driver.send(new byte[] {1}); // 1
      ids[2] = ring.driver.send(new byte[] {1}); // 2
      assertEquals(4, ring.peek());
      byte[] expected = bytesOf(ring);
      ring.finish(4);
      put(expected, 16 * 5 + 8, 0, 0, 0, 0, ids[2], 0, 0x80, 0x80);
      assertArrayEquals(expected, bytesOf(ring));
      assertEquals(3, ring.queue.usedIndex());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 6, 7, 8, 13, 20})
  void takesChainsAcrossTheEndOfTheRing(int start) throws GuestFault {
    for (int length = 1; length <= SIZE; length++) {
      try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(start))) {
        byte[][] parts = new byte[length][];
        for (int i = 0; i < length; i++) {
          parts[i] = new byte[] {(byte) i};
        }
        int id = ring.driver.send(parts);
        assertEquals(1, ring.peek());
        assertEquals(id, ring.chains.head[0], "the id is that of the last descriptor");
        for (int i = 0; i < length; i++) {
          assertEquals(i, ring.bytes(0)[i]);
        }
        ring.finish(1);
        assertEquals(new Used(id, 0), ring.driver.takeUsed());
        assertEquals((int) ring.driver.base(), ring.queue.base());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1 << 7, 1 << 15, 1 << 7 | 1 << 15})
  void rejectsChainThatGoesOnWhereNothingIsAvailable(int flags) {
    for (int start : new int[] {0, 6, 7, 13}) {
      try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(start))) {
        ring.driver.post(ring.readable(1), ring.readable(2), ring.readable(3));
        int third = (start + 2) % SIZE;
        if (flags == ring.packed().flags(third)) {
          continue; // the right ones
        }
        ring.packed().flags(third, flags);
        ring.assertFault(Reason.CHAIN_CUT);
        assertEquals(start % SIZE, ring.queue.usedIndex(), "a bad chain is not consumed");
      }
    }
  }

  @Test
  void rejectsChainOfMoreDescriptorsThanTheRingHas() {
    try (TestRing ring = ring()) {
      Raw[] endless = new Raw[SIZE];
      Arrays.fill(endless, raw(ring, NEXT));
      ring.driver.chain(endless);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @Test
  void neverHoldsMoreThanTheRingHasWhateverItsFlagsSay() throws GuestFault {
    Random random = new Random(8);
    for (int round = 0; round < 500; round++) {
      try (TestRing ring = new TestRing(Options.packed(1 + random.nextInt(9)), 512)) {
        for (int lap = 0; lap < 3; lap++) {
          for (int slot = 0; slot < ring.driver.size(); slot++) {
            long where = ring.driver.descriptorArea() + 16L * slot;
            int owner = random.nextInt(4) == 0 ? 1 << 15 : 1 << 7;
            int flags = owner | (random.nextInt(3) == 0 ? NEXT : 0);
            ring.driver.descriptorAt(where, ring.driver.arena(), 8, flags, slot);
          }
          int held = lookWithLiesBetween(ring, random);
          assertTrue(held <= ring.driver.size(), held + " of " + ring.driver.size());
          ring.finish(ring.chains.count());
          assertTrue(ring.queue.usedIndex() < ring.driver.size());
        }
      }
    }
  }

  /** Peeks in small steps; between them the guest turns all flags round. */
  private static int lookWithLiesBetween(TestRing ring, Random random) {
    ring.chains.clear();
    for (int i = 0; i < 12; i++) {
      try {
        ring.queue.peek(ring.chains, 1 + random.nextInt(3));
      } catch (GuestFault expected) {
        assertEquals(0, ring.chains.count());
      }
      for (int slot = 0; slot < ring.driver.size(); slot++) {
        ring.packed().flags(slot, ring.packed().flags(slot) ^ (1 << 7 | 1 << 15));
      }
    }
    int slots = 0;
    for (int i = 0; i < ring.chains.count(); i++) {
      slots += ring.chains.slots[i];
    }
    return slots;
  }

  @Test
  void rejectsTablesInAChain() {
    int[][] chains = {{NEXT, INDIRECT}, {INDIRECT | NEXT, 0}, {NEXT, NEXT, INDIRECT}};
    for (int[] flags : chains) {
      try (TestRing ring = ring()) {
        Raw[] descriptors = new Raw[flags.length];
        for (int i = 0; i < flags.length; i++) {
          descriptors[i] = new Raw(ring.driver.arena(), 16, flags[i]);
        }
        ring.driver.chain(descriptors);
        ring.assertFault(Reason.INDIRECT);
      }
    }
  }

  @Test
  void readsAllOfATableWhateverItsFlagsSay() throws GuestFault {
    try (TestRing ring = ring()) {
      long table = ring.driver.buffer(48);
      for (int i = 0; i < 3; i++) {
        long buffer = ring.driver.bufferWith(new byte[] {(byte) i});
        ring.driver.descriptorAt(table + 16L * i, buffer, 1, 0xffff & ~WRITE, 0xbeef);
      }
      int id = ring.driver.chain(new Raw(table, 48, INDIRECT));
      assertEquals(1, ring.peek());
      assertEquals(id, ring.chains.head[0]);
      assertArrayEquals(new byte[] {0, 1, 2}, ring.bytes(0));
      ring.finish(1);
      assertEquals(1, ring.queue.usedIndex(), "a table takes one slot");
    }
  }

  /** CVE-2020-10725: length 0 with a bad address, in bursts and alone, in chains and tables. */
  @Test
  void takesZeroLengthWithABadAddressInEveryPosition() throws GuestFault {
    for (long bad : new long[] {0, -1, -16, TestRing.GUEST - 1, 1L << 63}) {
      for (int mask = 0; mask < 1 << SIZE; mask++) {
        try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(4), 4096)) {
          for (int i = 0; i < SIZE; i++) {
            boolean empty = (mask & 1 << i) != 0;
            ring.driver.post(empty ? new Piece(bad, 0, false) : ring.readable(9));
          }
          assertEquals(SIZE, ring.peek());
          for (int i = 0; i < SIZE; i++) {
            boolean empty = (mask & 1 << i) != 0;
            assertEquals(empty ? 0 : 1, ring.chains.segments(i));
            assertEquals(empty ? 0 : 9, ring.chains.length[i]);
          }
        }
      }
    }
  }

  @Test
  void waitsWhereAnEqualPairOfFlagsStands() throws GuestFault {
    for (int start : new int[] {0, 7}) {
      try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(start))) {
        for (int flags : new int[] {0, 1 << 7 | 1 << 15, start == 0 ? 1 << 15 : 1 << 7}) {
          ring.packed().flags(0, flags | NEXT | INDIRECT | WRITE);
          assertEquals(0, ring.peek());
          assertFalse(ring.queue.hasAvailable());
          assertFalse(ring.queue.wantKicks());
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 5, 7, 9, 14, 20, 21})
  void beginsWhereItIsTold(int start) throws GuestFault {
    try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(start))) {
      int id = ring.driver.send(new byte[] {1});
      long both = ring.driver.base();
      Virtqueue half = ring.takeOver((int) (both & 0xffff)); // who knows only 16 bits
      ring.chains.clear();
      assertEquals(1, half.peek(ring.chains, 8), "after " + start);
      assertEquals(both, Integer.toUnsignedLong(half.base()));
      half.complete(ring.chains, 1);
      half.publish();
      assertEquals(new Used(id, 0), ring.driver.takeUsed());
      assertNull(ring.driver.takeUsed());
    }
  }

  /** User-mode Linux tells base 0 of a new ring, whose wrap counter is 1. */
  @Test
  void beginsInTheFirstLapAtBaseZeroWhenTheRingWasNeverUsed() throws GuestFault {
    try (TestRing ring = ring()) {
      ring.driver.send(new byte[] {1});
      assertEquals((int) RingFormat.PACKED.firstBase(), ring.takeOver(0).base());
    }
    try (TestRing ring = new TestRing(Options.packed(SIZE).startingAt(SIZE))) {
      assertEquals(0, ring.takeOver(0).base(), "in the second lap");
      ring.driver.send(new byte[] {1}, new byte[] {2});
      assertEquals(0, ring.takeOver(0).base(), "in the second lap, with something there");
    }
  }

  @Test
  void replaysWhatAnEarlierDeviceHadInFlight() throws GuestFault {
    try (TestRing ring = ring()) {
      int id = ring.driver.send(new byte[] {1});
      ring.driver.send(new byte[] {2});
      Virtqueue next = ring.takeOver(0x8000_8002); // two taken, none given back
      ring.chains.clear();
      assertEquals(2, next.peek(ring.chains, 8));
      assertEquals(id, ring.chains.head[0]);
    }
  }
}
