// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.TestRing.Options;

/**
 * Split rings only: whatever heads, indexes and the links between descriptors say, a peek ends soon
 * (virtio 1.3, 2.7.5 and 2.7.6).
 */
class SplitRulesTest {
  private static final int SIZE = 16;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, SIZE})
  void rejectsChainThatLoops(int period) {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < period; i++) {
        ring.split().descriptor(i, ring.split().arena(), 8, NEXT, (i + 1) % period);
      }
      ring.split().available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @Test
  void rejectsLoopThatIsEnteredFromOutside() {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().descriptor(0, ring.split().arena(), 8, NEXT, 1);
      ring.split().descriptor(1, ring.split().arena(), 8, NEXT, 2);
      ring.split().descriptor(2, ring.split().arena(), 8, NEXT, 1);
      ring.split().available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7})
  void rejectsIndirectTableThatLoops(int period) {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(16 * 8);
      for (int i = 0; i < period; i++) {
        ring.split().descriptorAt(table + 16L * i, ring.split().arena(), 8, NEXT, (i + 1) % period);
      }
      ring.split().descriptor(0, table, 16 * 8, INDIRECT, 0);
      ring.split().available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @Test
  void rejectsChainOfOneDescriptorMoreThanTheRingHas() {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < SIZE; i++) {
        ring.split().descriptor(i, ring.split().arena(), 8, NEXT, (i + 1) % SIZE);
      }
      ring.split().available(5);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE, SIZE + 1, 255, 256, 32767, 32768, 65535})
  void rejectsNextThatIsNoDescriptor(int next) {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().descriptor(0, ring.split().arena(), 8, NEXT, next);
      ring.split().available(0);
      ring.assertFault(Reason.NEXT_INDEX);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE, SIZE + 1, 255, 32768, 65535})
  void rejectsHeadThatIsNoDescriptor(int head) {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().available(head);
      ring.assertFault(Reason.HEAD_INDEX);
    }
  }

  @Test
  void ignoresNextWhereItsFlagIsClear() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().descriptor(0, ring.split().arena(), 8, 0, 65535);
      ring.split().available(0);
      assertEquals(1, ring.peek());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8})
  void rejectsNextBeyondTheIndirectTableThoughInsideTheRing(int next) {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(16 * 4);
      ring.split().descriptorAt(table, ring.split().arena(), 8, NEXT, next);
      ring.split().descriptor(0, table, 16 * 4, INDIRECT, 0);
      ring.split().available(0);
      ring.assertFault(Reason.NEXT_INDEX);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE + 1, 2 * SIZE, 0x7fff, 0x8000, 0xffff})
  void rejectsAvailableIndexFurtherAheadThanTheRingIsLong(int ahead) {
    for (int base : new int[] {0, 3, 0xfff0, 0xffff}) {
      try (TestRing ring = new TestRing(Options.split(SIZE).startingAt(base))) {
        ring.split().availableIndex(base + ahead);
        ring.assertFault(Reason.AVAILABLE_INDEX);
      }
    }
  }

  @Test
  void takesWhatItSawBeforeTheAvailableIndexWentBad() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < 3; i++) {
        ring.split().send(new byte[] {(byte) i});
      }
      assertEquals(3, ring.peek());
      for (int bad : new int[] {1, 0, 0xffff, SIZE + 4, 0x8000}) {
        ring.split().availableIndex(bad);
        assertEquals(3, ring.peek(), "index " + bad);
        assertEquals(0, ring.queue.peek(ring.chains, 8), "index " + bad);
      }
      ring.finish(3);
      ring.assertFault(Reason.AVAILABLE_INDEX);
    }
  }

  @Test
  void staysInBoundsWhenTheAvailableIndexIsRandom() {
    java.util.Random random = new java.util.Random(20);
    try (TestRing ring = TestRing.of(8)) {
      for (int i = 0; i < 8; i++) {
        ring.split().descriptor(i, ring.split().arena(), 8, 0, 0);
        Memory.putShort(ring.split().host(ring.split().availableRing()) + 4 + 2L * i, i);
      }
      for (int round = 0; round < 100_000; round++) {
        ring.split().availableIndex(ring.queue.base() + random.nextInt(24) - 8);
        int count = 0;
        try {
          count = ring.peek();
        } catch (GuestFault fault) {
          assertEquals(Reason.AVAILABLE_INDEX, fault.reason());
        }
        org.junit.jupiter.api.Assertions.assertTrue(count <= 8);
        ring.finish(count == 0 ? 0 : random.nextInt(count + 1));
      }
    }
  }

  @Test
  void mayEndAChainOfDirectDescriptors() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(32);
      long first = ring.split().bufferWith(new byte[] {1, 2});
      long second = ring.split().bufferWith(new byte[] {3});
      long third = ring.split().bufferWith(new byte[] {4, 5, 6});
      ring.split().descriptorAt(table, second, 1, NEXT, 1);
      ring.split().descriptorAt(table + 16, third, 3, 0, 0);
      ring.split().descriptor(9, first, 2, NEXT, 3);
      ring.split().descriptor(3, table, 32, INDIRECT, 0);
      ring.split().available(9);
      assertEquals(1, ring.peek());
      assertEquals(9, ring.chains.head[0]);
      assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, ring.bytes(0));
    }
  }

  @Test
  void mayLinkItsDescriptorsInAnyOrder() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(48);
      ring.split().descriptorAt(table, ring.split().bufferWith(new byte[] {1}), 1, NEXT, 2);
      ring.split().descriptorAt(table + 16, ring.split().bufferWith(new byte[] {3}), 1, 0, 0);
      ring.split().descriptorAt(table + 32, ring.split().bufferWith(new byte[] {2}), 1, NEXT, 1);
      ring.split().descriptor(0, table, 48, INDIRECT, 0);
      ring.split().available(0);
      assertEquals(1, ring.peek());
      assertArrayEquals(new byte[] {1, 2, 3}, ring.bytes(0));
    }
  }

  @Test
  void rejectsTableInsideATable() {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(16);
      ring.split().descriptorAt(table, table, 16, INDIRECT, 0);
      ring.split().descriptor(0, table, 16, INDIRECT, 0);
      ring.split().available(0);
      ring.assertFault(Reason.INDIRECT);
    }
  }

  @Test
  void rejectsIndirectWithNext() {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.split().buffer(16);
      ring.split().descriptorAt(table, ring.split().arena(), 8, 0, 0);
      ring.split().descriptor(0, table, 16, INDIRECT | NEXT, 1);
      ring.split().descriptor(1, ring.split().arena(), 8, 0, 0);
      ring.split().available(0);
      ring.assertFault(Reason.INDIRECT);
    }
  }

  @Test
  void takesGoodChainsBeforeABadOneFirst() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().send(new byte[] {1});
      ring.split().send(new byte[] {2}, new byte[] {3});
      ring.split().available(SIZE + 1);
      ring.split().send(new byte[] {4});
      assertEquals(2, ring.peek());
      assertEquals(0, ring.queue.peek(ring.chains, 8), "the fault waits behind chains held");
      ring.finish(2);
      ring.assertFault(Reason.HEAD_INDEX);
      ring.assertFault(Reason.HEAD_INDEX);
      assertEquals(2, ring.queue.base(), "a bad chain is not consumed");
      assertEquals(2, ring.split().usedIndex(), "nor given back");
    }
  }

  @Test
  void namesTheReasonAndTheNumber() {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.split().available(99);
      GuestFault fault =
          org.junit.jupiter.api.Assertions.assertThrows(GuestFault.class, ring::peek);
      assertEquals("head out of range 99", fault.getMessage());
      assertEquals(0, fault.getStackTrace().length);
    }
  }
}
