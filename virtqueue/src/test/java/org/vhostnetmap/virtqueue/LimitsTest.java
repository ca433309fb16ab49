// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;

import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeRing.Raw;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** However long chains and tables are, a peek ends soon and holds what fits. */
@ParameterizedClass
@EnumSource(RingFormat.class)
class LimitsTest {
  private final RingFormat format;

  LimitsTest(RingFormat format) {
    this.format = format;
  }

  private static final int SIZE = 16;

  private static Piece[] empty(int count) {
    Piece[] pieces = new Piece[count];
    Arrays.fill(pieces, new Piece(0, 0, false));
    return pieces;
  }

  @Test
  void takesChainOfAsManyDescriptorsAsTheRingHas() throws GuestFault {
    try (TestRing ring = TestRing.of(format, SIZE)) {
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
  void rejectsIndirectTableLongerThanAnyRing() {
    try (TestRing ring = new TestRing(Options.of(format, SIZE), 2 << 20)) {
      ring.driver.chain(new Raw(ring.driver.arena(), 16L * 65535, INDIRECT));
      ring.assertFault(Reason.INDIRECT);
    }
  }

  @Test
  void endsAnIndirectTableOfZeroLengthBuffersSoon() {
    try (TestRing ring = new TestRing(Options.of(format, 256), 2 << 20)) {
      long table = ring.driver.buffer(16 * 32768);
      ring.driver.writeTable(table, empty(32768));
      for (int i = 0; i < 256; i++) {
        ring.driver.chain(new Raw(table, 16L * 32768, INDIRECT));
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
    try (TestRing ring = TestRing.of(format, 256)) {
      int pieces = 1000;
      long table = ring.driver.buffer(16 * pieces);
      ring.driver.writeTable(table, empty(pieces));
      for (int i = 0; i < 256; i++) {
        ring.driver.chain(new Raw(table, 16L * pieces, INDIRECT));
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
    try (TestRing ring = new TestRing(Options.of(format, 8192))) {
      Piece[] pieces = new Piece[Chains.SEGMENTS];
      Arrays.fill(pieces, new Piece(ring.driver.arena(), 1, false));
      ring.driver.post(pieces);
      Piece[] more = Arrays.copyOf(pieces, pieces.length + 1);
      more[pieces.length] = pieces[0];
      ring.driver.postIndirect(more);
      assertEquals(1, assertDoesNotThrow(ring::peek));
      assertEquals(Chains.SEGMENTS, ring.chains.segments(0));
      ring.finish(1);
      ring.assertFault(Reason.CHAIN_SIZE);
    }
  }

  @Test
  void endsEarlyWhenSegmentsRunOut() throws GuestFault {
    try (TestRing ring = TestRing.of(format, 256)) {
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
    try (TestRing ring = TestRing.of(format, 512)) {
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
    try (TestRing ring = TestRing.of(format, SIZE)) {
      ring.driver.chain(new Raw(ring.driver.arena(), length, 0));
      ring.assertFault(Reason.CHAIN_SIZE);
    }
  }
}
