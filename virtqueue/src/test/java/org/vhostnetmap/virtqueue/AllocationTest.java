// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** The data path makes no objects. */
class AllocationTest {
  private static final int ROUNDS = 1_000_000;
  private static final long SLACK = 200_000; // bytes; one object per round would be 16 million

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void makesNoObjectsForAMillionRounds(boolean chained) throws GuestFault {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (TestRing ring = new TestRing(Options.size(4).withEventIndex(true))) {
      long table = ring.driver.buffer(48);
      for (int i = 0; i < 3; i++) {
        int flags = i < 2 ? FakeDriver.NEXT : 0;
        ring.driver.descriptorAt(table + 16L * i, ring.driver.arena(), 100, flags, i + 1);
      }
      int flags = chained ? FakeDriver.INDIRECT : 0;
      ring.driver.descriptor(0, table, 48, flags, 0);
      run(ring, 50_000);
      long before = threads.getCurrentThreadAllocatedBytes();
      run(ring, ROUNDS);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(allocated < SLACK, allocated + " bytes for " + ROUNDS + " rounds");
    }
  }

  private static void run(TestRing ring, int rounds) throws GuestFault {
    for (int i = 0; i < rounds; i++) {
      ring.driver.available(0);
      ring.queue.wantKicks();
      if (ring.peek() != 1) {
        assertEquals(1, ring.chains.count());
      }
      ring.finish(1);
      ring.queue.refuseKicks();
    }
  }
}
