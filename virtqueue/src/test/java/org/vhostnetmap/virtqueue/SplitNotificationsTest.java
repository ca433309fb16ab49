// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** Who wakes whom on a split ring (virtio 1.3, 2.7.7 and 2.7.10). */
class SplitNotificationsTest {
  private static void makeAvailable(FakeDriver driver, int count) {
    for (int i = 0; i < count; i++) {
      driver.available(driver.availableIndex() & (driver.size() - 1));
    }
  }

  private static TestRing ring(Options options) {
    TestRing ring = new TestRing(options);
    for (int i = 0; i < options.size(); i++) {
      ring.split().descriptor(i, ring.split().arena(), 1, 0, 0);
    }
    return ring;
  }

  /** Passes {@code count} chains through and says whether the driver is to be called. */
  private static boolean use(TestRing ring, int count) throws GuestFault {
    makeAvailable(ring.split(), count);
    assertEquals(count, ring.peek());
    return ring.finish(count);
  }

  @Nested
  class Calls {
    @Test
    void comesWhenTheEventIsAmongTheEntriesJustUsedAtEveryIndexAndDistance() throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(true).startingAt(0xfff0))) {
        use(ring, 1);
        for (int distance = 0; distance < 0x10000; distance++) {
          for (int count = 1; count <= 4; count++) {
            int old = ring.queue.usedIndex();
            int event = (old + distance) & 0xffff;
            ring.split().usedEvent(event);
            boolean called = use(ring, count);
            assertEquals(among(event, old, count), called, () -> "event " + event + " at " + old);
          }
        }
      }
    }

    private static boolean among(int event, int old, int count) {
      for (int i = 0; i < count; i++) {
        if (((old + i) & 0xffff) == event) {
          return true;
        }
      }
      return false;
    }

    @Test
    void isUnconditionalAtFirst() throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(true))) {
        ring.split().usedEvent(0x8000);
        assertTrue(use(ring, 1));
        assertFalse(use(ring, 1));
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 8, 20, 0x10000, 0x10001})
    void coversEverythingSinceItWasAskedForLast(int count) throws GuestFault {
      try (TestRing ring = ring(Options.split(8).withEventIndex(true))) {
        use(ring, 1);
        ring.split().usedEvent(1);
        for (int i = 0; i < count; i++) {
          makeAvailable(ring.split(), 1);
          assertEquals(1, ring.peek());
          ring.publish(1);
        }
        assertTrue(ring.queue.wantsCall());
        assertFalse(ring.queue.wantsCall());
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void neverComesWhenNothingWasUsed(boolean eventIndex) {
      try (TestRing ring = ring(Options.split(4).withEventIndex(eventIndex))) {
        assertFalse(ring.queue.publishAndAsk());
      }
    }

    @Test
    void followsTheFlagWithoutEventIndex() throws GuestFault {
      try (TestRing ring = ring(Options.split(4))) {
        ring.split().usedEvent(0x8000); // no event index: means nothing
        assertTrue(use(ring, 1));
        assertTrue(use(ring, 2));
        ring.split().wantCalls(false);
        assertFalse(use(ring, 1));
        ring.split().wantCalls(true);
        assertTrue(use(ring, 1));
      }
    }

    @Test
    void ignoresTheFlagWithEventIndex() throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(true))) {
        use(ring, 1);
        ring.split().wantCalls(false);
        ring.split().usedEvent(1);
        assertTrue(use(ring, 1));
      }
    }

    @Test
    void readsOnlyTheLowBitOfTheFlags() throws GuestFault {
      try (TestRing ring = ring(Options.split(4))) {
        Memory.putShort(ring.split().host(ring.split().availableRing()), 0xfffe);
        assertTrue(use(ring, 1));
      }
    }
  }

  @Nested
  class Kicks {
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void areAskedForAtEveryIndex(boolean eventIndex) throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(eventIndex).startingAt(0xfff0))) {
        for (int i = 0; i < 100_000; i++) {
          assertFalse(ring.queue.wantKicks());
          int old = ring.split().availableIndex();
          makeAvailable(ring.split(), 1 + i % 4);
          assertTrue(ring.split().kickNeeded(old));
          ring.finish(ring.peek());
        }
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void mayNotBeWaitedForWhenSomethingIsThere(boolean eventIndex) throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(eventIndex).startingAt(0xfffe))) {
        for (int i = 0; i < 6; i++) {
          makeAvailable(ring.split(), 1);
          assertTrue(ring.queue.wantKicks());
          assertTrue(ring.queue.hasAvailable());
          ring.finish(ring.peek());
          assertFalse(ring.queue.wantKicks());
          assertFalse(ring.queue.hasAvailable());
        }
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void areRefusedAndAskedForInTurn(boolean eventIndex) throws GuestFault {
      try (TestRing ring = ring(Options.split(4).withEventIndex(eventIndex))) {
        for (int i = 0; i < 20; i++) {
          ring.queue.refuseKicks();
          int old = ring.split().availableIndex();
          makeAvailable(ring.split(), 1);
          assertFalse(ring.split().kickNeeded(old));
          assertTrue(ring.queue.wantKicks());
          ring.finish(ring.peek());
          assertFalse(ring.queue.wantKicks());
          old = ring.split().availableIndex();
          makeAvailable(ring.split(), 1);
          assertTrue(ring.split().kickNeeded(old));
          ring.finish(ring.peek());
        }
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 256, 1024, 4096, 8192, 16384, 32768})
    void areNeverNeededWhileRefusedHoweverFarTheDriverRunsAhead(int size) throws GuestFault {
      Random random = new Random(size);
      for (boolean eventIndex : new boolean[] {false, true}) {
        try (TestRing ring =
            ring(Options.split(size).withEventIndex(eventIndex).startingAt(0xff00))) {
          ring.queue.refuseKicks();
          for (int chains = 0; chains < 200_000; ) {
            int room = size - ((ring.split().availableIndex() - ring.split().usedIndex()) & 0xffff);
            int old = ring.split().availableIndex();
            makeAvailable(ring.split(), random.nextBoolean() ? room : random.nextInt(room + 1));
            assertFalse(ring.split().kickNeeded(old), "after " + chains);
            int count = ring.peek();
            ring.finish(random.nextBoolean() ? count : random.nextInt(count + 1));
            chains += count;
          }
        }
      }
    }

    @Test
    void areParkedAnewOnlyNowAndThen() throws GuestFault {
      try (TestRing ring = ring(Options.split(256).withEventIndex(true))) {
        ring.queue.refuseKicks();
        long event = ring.split().host(ring.split().usedRing()) + 4 + 8L * 256;
        int stores = 0;
        int last = Memory.getUnsignedShort(event);
        for (int chains = 0; chains < 200_000; chains += 250) {
          use(ring, 250);
          stores += Memory.getUnsignedShort(event) == last ? 0 : 1;
          last = Memory.getUnsignedShort(event);
        }
        assertTrue(stores > 0 && stores < 20, stores + " stores in 800 bursts");
      }
    }
  }
}
