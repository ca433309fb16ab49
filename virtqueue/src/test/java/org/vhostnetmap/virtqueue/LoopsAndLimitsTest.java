// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/** Whatever the links between descriptors say, a peek ends soon (virtio 1.3, 2.7.5). */
class LoopsAndLimitsTest {
  private static final int SIZE = 16;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, SIZE})
  void rejectsChainThatLoops(int period) {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < period; i++) {
        ring.driver.descriptor(i, ring.driver.arena(), 8, NEXT, (i + 1) % period);
      }
      ring.driver.available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @Test
  void rejectsLoopThatIsEnteredFromOutside() {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.driver.descriptor(0, ring.driver.arena(), 8, NEXT, 1);
      ring.driver.descriptor(1, ring.driver.arena(), 8, NEXT, 2);
      ring.driver.descriptor(2, ring.driver.arena(), 8, NEXT, 1);
      ring.driver.available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7})
  void rejectsIndirectTableThatLoops(int period) {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.driver.buffer(16 * 8);
      for (int i = 0; i < period; i++) {
        ring.driver.descriptorAt(table + 16L * i, ring.driver.arena(), 8, NEXT, (i + 1) % period);
      }
      ring.driver.descriptor(0, table, 16 * 8, INDIRECT, 0);
      ring.driver.available(0);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @Test
  void takesChainOfAsManyDescriptorsAsTheRingHas() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      Piece[] pieces = new Piece[SIZE];
      for (int i = 0; i < SIZE; i++) {
        pieces[i] = ring.readable(3);
      }
      ring.driver.post(pieces);
      assertEquals(1, ring.peek());
      assertEquals(SIZE, ring.chains.segments(0));
      assertEquals(3 * SIZE, ring.chains.length[0]);
    }
  }

  @Test
  void rejectsChainOfOneDescriptorMoreThanTheRingHas() {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < SIZE; i++) {
        ring.driver.descriptor(i, ring.driver.arena(), 8, NEXT, (i + 1) % SIZE);
      }
      ring.driver.available(5);
      ring.assertFault(Reason.DESCRIPTOR_LOOP);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE, SIZE + 1, 255, 256, 32767, 32768, 65535})
  void rejectsNextThatIsNoDescriptor(int next) {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.driver.descriptor(0, ring.driver.arena(), 8, NEXT, next);
      ring.driver.available(0);
      ring.assertFault(Reason.NEXT_INDEX);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE, SIZE + 1, 255, 32768, 65535})
  void rejectsHeadThatIsNoDescriptor(int head) {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.driver.available(head);
      ring.assertFault(Reason.HEAD_INDEX);
    }
  }

  @Test
  void ignoresNextWhereItsFlagIsClear() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.driver.descriptor(0, ring.driver.arena(), 8, 0, 65535);
      ring.driver.available(0);
      assertEquals(1, ring.peek());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8})
  void rejectsNextBeyondTheIndirectTableThoughInsideTheRing(int next) {
    try (TestRing ring = TestRing.of(SIZE)) {
      long table = ring.driver.buffer(16 * 4);
      ring.driver.descriptorAt(table, ring.driver.arena(), 8, NEXT, next);
      ring.driver.descriptor(0, table, 16 * 4, INDIRECT, 0);
      ring.driver.available(0);
      ring.assertFault(Reason.NEXT_INDEX);
    }
  }

  @Test
  void rejectsIndirectTableLongerThanAnyRing() {
    try (TestRing ring = new TestRing(TestRing.Options.size(SIZE), 2 << 20)) {
      ring.driver.descriptor(0, ring.driver.arena(), 16L * 65535, INDIRECT, 0);
      ring.driver.available(0);
      ring.assertFault(Reason.INDIRECT);
    }
  }

  @Test
  void endsAnIndirectTableOfZeroLengthBuffersSoon() {
    try (TestRing ring = new TestRing(TestRing.Options.size(256), 2 << 20)) {
      long table = ring.driver.buffer(16 * 32768);
      for (int i = 0; i < 32768; i++) {
        ring.driver.descriptorAt(
            table + 16L * i, ring.driver.arena(), 0, i < 32767 ? NEXT : 0, i + 1);
      }
      for (int i = 0; i < 256; i++) {
        ring.driver.descriptor(i, table, 16L * 32768, INDIRECT, 0);
        ring.driver.available(i);
      }
      assertTimeoutPreemptively(
          Duration.ofSeconds(2),
          () -> {
            for (int i = 0; i < 1000; i++) {
              ring.assertFault(Reason.CHAIN_SIZE);
            }
          });
    }
  }

  @Test
  void countsZeroLengthBuffersAgainstWhatOnePeekMayWalk() throws GuestFault {
    try (TestRing ring = TestRing.of(256)) {
      int pieces = 1000;
      long table = ring.driver.buffer(16 * pieces);
      for (int i = 0; i < pieces; i++) {
        ring.driver.descriptorAt(
            table + 16L * i, ring.driver.arena(), 0, i < pieces - 1 ? NEXT : 0, i + 1);
      }
      for (int i = 0; i < 256; i++) {
        ring.driver.descriptor(i, table, 16L * pieces, INDIRECT, 0);
        ring.driver.available(i);
      }
      int taken = 0;
      while (taken < 256) {
        int count = ring.peek();
        assertEquals(Math.min(Chains.SEGMENTS / pieces, 256 - taken), count);
        assertEquals(0, ring.chains.length[0]);
        ring.finish(count);
        taken += count;
      }
    }
  }

  @Test
  void rejectsChainThatNeedsMoreSegmentsThanThereAre() {
    try (TestRing ring = new TestRing(TestRing.Options.size(8192))) {
      for (int i = 0; i <= Chains.SEGMENTS; i++) {
        ring.driver.descriptor(i, ring.driver.arena(), 1, i < Chains.SEGMENTS ? NEXT : 0, i + 1);
      }
      ring.driver.available(1);
      ring.driver.available(0);
      assertEquals(1, peek(ring));
      assertEquals(Chains.SEGMENTS, ring.chains.segments(0));
      ring.finish(1);
      ring.assertFault(Reason.CHAIN_SIZE);
    }
  }

  private static int peek(TestRing ring) {
    return org.junit.jupiter.api.Assertions.assertDoesNotThrow(ring::peek);
  }

  @Test
  void endsEarlyWhenSegmentsRunOut() throws GuestFault {
    try (TestRing ring = TestRing.of(256)) {
      Piece[] pieces = new Piece[60];
      for (int i = 0; i < pieces.length; i++) {
        pieces[i] = ring.readable(16);
      }
      for (int i = 0; i < 100; i++) {
        ring.driver.postIndirect(pieces);
      }
      assertEquals(Chains.SEGMENTS / 60, ring.peek());
      ring.finish(Chains.SEGMENTS / 60);
      assertEquals(100 - Chains.SEGMENTS / 60, ring.peek());
    }
  }

  @Test
  void endsEarlyWhenChainsRunOut() throws GuestFault {
    try (TestRing ring = TestRing.of(512)) {
      byte[] frame = {1};
      for (int i = 0; i < 300; i++) {
        ring.driver.send(frame);
      }
      ring.chains.clear();
      assertEquals(Chains.CHAINS, ring.queue.peek(ring.chains, 1000));
      assertEquals(0, ring.queue.peek(ring.chains, 1000));
      ring.finish(Chains.CHAINS);
      assertEquals(300 - Chains.CHAINS, ring.peek());
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {(1L << 30) + 1, 1L << 31, (1L << 32) - 1})
  void rejectsBufferOfMoreThanOneGibibyte(long length) {
    try (TestRing ring = TestRing.of(SIZE)) {
      ring.driver.descriptor(0, ring.driver.arena(), length, 0, 0);
      ring.driver.available(0);
      ring.assertFault(Reason.CHAIN_SIZE);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {SIZE + 1, 2 * SIZE, 0x7fff, 0x8000, 0xffff})
  void rejectsAvailableIndexFurtherAheadThanTheRingIsLong(int ahead) {
    for (int base : new int[] {0, 3, 0xfff0, 0xffff}) {
      try (TestRing ring = new TestRing(TestRing.Options.size(SIZE).base(base))) {
        ring.driver.availableIndex(base + ahead);
        ring.assertFault(Reason.AVAILABLE_INDEX);
      }
    }
  }

  @Test
  void takesWhatItSawBeforeTheAvailableIndexWentBad() throws GuestFault {
    try (TestRing ring = TestRing.of(SIZE)) {
      for (int i = 0; i < 3; i++) {
        ring.driver.send(new byte[] {(byte) i});
      }
      assertEquals(3, ring.peek());
      for (int bad : new int[] {1, 0, 0xffff, SIZE + 4, 0x8000}) {
        ring.driver.availableIndex(bad);
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
        ring.driver.descriptor(i, ring.driver.arena(), 8, 0, 0);
        Memory.putShort(ring.driver.host(ring.driver.availableRing()) + 4 + 2L * i, i);
      }
      for (int round = 0; round < 100_000; round++) {
        ring.driver.availableIndex(ring.queue.base() + random.nextInt(24) - 8);
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
}
