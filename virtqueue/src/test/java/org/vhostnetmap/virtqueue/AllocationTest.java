// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.function.IntConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakePackedDriver;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** The data path makes no objects. */
class AllocationTest {
  private static final int ROUNDS = 1_000_000;
  private static final long SLACK = 200_000; // bytes; one object per round would be 16 million

  @ParameterizedTest
  @CsvSource({"SPLIT, false", "SPLIT, true", "PACKED, false", "PACKED, true"})
  void makesNoObjectsForAMillionRounds(RingFormat format, boolean chained) throws GuestFault {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (TestRing ring = new TestRing(Options.of(format, 4).withEventIndex(true))) {
      Piece piece = new Piece(ring.driver.arena(), 100, false);
      Piece[] pieces = chained ? new Piece[] {piece, piece, piece} : new Piece[] {piece};
      IntConsumer again = again(ring, pieces);
      run(ring, again, 0, 50_000);
      long before = threads.getCurrentThreadAllocatedBytes();
      run(ring, again, 50_000, ROUNDS);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(allocated < SLACK, allocated + " bytes for " + ROUNDS + " rounds");
    }
  }

  /** Makes the same chain available again and again, with no objects itself. */
  private static IntConsumer again(TestRing ring, Piece[] pieces) {
    long table = ring.driver.buffer(16 * pieces.length);
    ring.driver.writeTable(table, pieces);
    long address = pieces.length > 1 ? table : pieces[0].guestAddress();
    long length = pieces.length > 1 ? 16L * pieces.length : 100;
    int flags = pieces.length > 1 ? FakeDriver.INDIRECT : 0;
    if (ring.driver instanceof FakePackedDriver packed) {
      return round -> {
        int made = (round / 4 % 2 == 0 ? 1 << 7 : 1 << 15) | flags;
        long where = packed.descriptorArea() + 16L * (round % 4);
        packed.descriptorAt(where, address, length, made, 0);
      };
    }
    FakeDriver split = ring.split();
    split.descriptor(0, address, length, flags, 0);
    return round -> split.available(0);
  }

  private static void run(TestRing ring, IntConsumer again, int from, int rounds)
      throws GuestFault {
    for (int i = from; i < from + rounds; i++) {
      again.accept(i);
      ring.queue.wantKicks();
      if (ring.peek() != 1) {
        assertEquals(1, ring.chains.count());
      }
      ring.finish(1);
      ring.queue.refuseKicks();
    }
  }
}
