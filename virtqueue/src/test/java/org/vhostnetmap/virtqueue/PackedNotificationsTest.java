// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** Who wakes whom on a packed ring (virtio 1.3, 2.8.10, 2.8.14, 2.8.21.2 and 2.8.22). */
class PackedNotificationsTest {
  private static final int ENABLE = 0;
  private static final int DISABLE = 1;
  private static final int DESC = 2;

  private static void makeAvailable(TestRing ring, int count) {
    for (int i = 0; i < count; i++) {
      ring.driver.post(new Piece(ring.driver.arena(), 1, false));
    }
  }

  /** Passes {@code count} chains through and says whether the driver is to be called. */
  private static boolean use(TestRing ring, int count) throws GuestFault {
    makeAvailable(ring, count);
    assertEquals(count, ring.peek());
    boolean wanted = ring.finish(count);
    for (int i = 0; i < count; i++) {
      ring.driver.takeUsed();
    }
    return wanted;
  }

  private static int deviceEvent(TestRing ring) {
    return (int) Memory.getUnsignedInt(ring.driver.host(ring.driver.deviceArea()));
  }

  @Nested
  class Calls {
    /** Every place of both laps, every burst, from every place. */
    @ParameterizedTest
    @CsvSource({"1, false", "2, false", "3, true", "7, false", "8, true"})
    void comesWhenTheEventIsAmongTheSlotsJustUsed(int size, boolean inOrder) throws GuestFault {
      Options options = Options.packed(size).withEventIndex(true).withInOrder(inOrder);
      try (TestRing ring = new TestRing(options)) {
        use(ring, 1);
        int place = 1;
        for (int round = 0; round < 6 * size; round++) {
          for (int count = 1; count <= size; count++) {
            // A driver waits for no place further away than the ring is long.
            for (int ahead = 1 - size; ahead <= size; ahead++) {
              int event = Math.max(0, place + ahead);
              ring.packed().driverEvent(offWrap(event, size), DESC);
              boolean among = event >= place && event < place + count;
              assertEquals(among, use(ring, count), "event " + event + " at " + place);
              place += count;
            }
          }
        }
      }
    }

    private static int offWrap(int place, int size) {
      return place % size | (place / size % 2 == 0 ? 1 << 15 : 0);
    }

    @Test
    void countsAllSlotsOfAChain() throws GuestFault {
      for (int event = 1; event < 8; event++) {
        try (TestRing ring = new TestRing(Options.packed(8).withEventIndex(true))) {
          use(ring, 1);
          ring.packed().driverEvent(event | 1 << 15, DESC);
          ring.driver.post(ring.readable(1), ring.readable(1), ring.readable(1));
          ring.driver.post(ring.readable(1), ring.readable(1));
          assertEquals(2, ring.peek());
          assertEquals(event <= 5, ring.finish(2), "event " + event);
        }
      }
    }

    /** The event of the first or the third of so many slots, each published by itself. */
    @ParameterizedTest
    @CsvSource({"4, 0", "4, 2", "8, 0", "8, 2", "20, 0", "20, 18"})
    void coversEverythingSinceItWasAskedForLast(int count, int event) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(8).withEventIndex(true))) {
        use(ring, 1);
        ring.packed().driverEvent(offWrap(1 + event, 8), DESC);
        for (int i = 0; i < count; i++) {
          makeAvailable(ring, 1);
          assertEquals(1, ring.peek());
          ring.publish(1);
          ring.driver.takeUsed();
        }
        assertTrue(ring.queue.wantsCall());
        assertFalse(ring.queue.wantsCall());
      }
    }

    /** The driver sees what was published, and waits for a place of that, whatever else is done. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 5})
    void isOfWhatWasPublishedThoughMoreIsCompleted(int start) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(8).withEventIndex(true))) {
        use(ring, start);
        ring.packed().driverEvent(offWrap(start, 8), DESC);
        makeAvailable(ring, 6);
        assertEquals(6, ring.peek());
        ring.publish(2);
        assertEquals(4, ring.peek());
        ring.queue.complete(ring.chains, 4);
        assertTrue(ring.queue.wantsCall());
      }
    }

    @Test
    void isUnconditionalAtFirst() throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(300).withEventIndex(true))) {
        ring.packed().driverEvent(290 | 1 << 15, DESC);
        assertTrue(use(ring, 1));
        assertFalse(use(ring, 1));
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void followsTheFlags(boolean eventIndex) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(300).withEventIndex(eventIndex))) {
        use(ring, 1);
        ring.packed().driverEvent(0, ENABLE);
        assertTrue(use(ring, 1));
        ring.packed().driverEvent(3, DISABLE);
        assertFalse(use(ring, 5));
        ring.packed().driverEvent(299 | 1 << 15, DESC);
        assertEquals(!eventIndex, use(ring, 1), "not negotiated, it can't be meant");
        Memory.putInt(ring.driver.host(ring.driver.driverArea()), 0xfffd << 16);
        assertFalse(use(ring, 1), "the other bits are reserved");
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void neverComesWhenNothingWasUsed(boolean eventIndex) {
      try (TestRing ring = new TestRing(Options.packed(4).withEventIndex(eventIndex))) {
        assertFalse(ring.queue.publishAndAsk());
      }
    }
  }

  @Nested
  class Kicks {
    @ParameterizedTest
    @CsvSource({"1, false", "1, true", "4, false", "7, true", "300, true", "32768, true"})
    void areAskedForAtEveryPlace(int size, boolean eventIndex) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(size).withEventIndex(eventIndex))) {
        for (int i = 0; i < 70_000; i++) {
          assertFalse(ring.queue.wantKicks());
          int mark = ring.driver.mark();
          makeAvailable(ring, 1 + i % Math.min(4, size));
          assertTrue(ring.driver.kickNeeded(mark));
          int count = ring.peek();
          ring.finish(count);
          for (int taken = 0; taken < count; taken++) {
            ring.driver.takeUsed();
          }
        }
      }
    }

    @Test
    void areAskedForByPlaceWithEventIndexAndForAllWithout() throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(8).withEventIndex(true).startingAt(11))) {
        ring.queue.wantKicks();
        assertEquals(DESC << 16 | 3, deviceEvent(ring), "slot 3 in the second lap");
        use(ring, 5);
        ring.queue.wantKicks();
        assertEquals(DESC << 16 | 1 << 15, deviceEvent(ring), "slot 0 in the third");
      }
      try (TestRing ring = new TestRing(Options.packed(8).startingAt(11))) {
        ring.queue.wantKicks();
        assertEquals(ENABLE, deviceEvent(ring) >>> 16);
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void mayNotBeWaitedForWhenSomethingIsThere(boolean eventIndex) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(3).withEventIndex(eventIndex))) {
        for (int i = 0; i < 20; i++) {
          makeAvailable(ring, 1);
          assertTrue(ring.queue.wantKicks());
          assertTrue(ring.queue.hasAvailable());
          ring.finish(ring.peek());
          ring.driver.takeUsed();
          assertFalse(ring.queue.wantKicks());
          assertFalse(ring.queue.hasAvailable());
        }
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void areNotNeededWhileRefused(boolean eventIndex) throws GuestFault {
      try (TestRing ring = new TestRing(Options.packed(5).withEventIndex(eventIndex))) {
        ring.queue.refuseKicks();
        for (int i = 0; i < 100; i++) {
          int mark = ring.driver.mark();
          use(ring, 1 + i % 5);
          assertFalse(ring.driver.kickNeeded(mark));
        }
        ring.queue.wantKicks();
        int mark = ring.driver.mark();
        makeAvailable(ring, 1);
        assertTrue(ring.driver.kickNeeded(mark));
      }
    }
  }
}
