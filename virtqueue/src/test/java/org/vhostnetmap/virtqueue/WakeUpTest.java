// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** Driver and device in two threads that sleep whenever the rules let them. */
class WakeUpTest {
  private static final int SIZE = 4;
  private static final long NANOS = 2_000_000_000L;
  private static final long LOST_NANOS = 2_000_000_000L;

  /** As an eventfd: signals are not counted, none is lost. Spins for a moment before it sleeps. */
  private static final class Flag {
    private final AtomicBoolean set = new AtomicBoolean();
    private final AtomicReference<@Nullable Thread> sleeper = new AtomicReference<>();

    void signal() {
      set.set(true);
      Thread thread = sleeper.get();
      if (thread != null) {
        LockSupport.unpark(thread);
      }
    }

    /** False when nothing came for as long as only a lost wake-up explains. */
    boolean await() {
      for (int i = 0; i < 300; i++) {
        if (set.getAndSet(false)) {
          return true;
        }
        Thread.onSpinWait();
      }
      sleeper.set(Thread.currentThread());
      long deadline = System.nanoTime() + LOST_NANOS;
      while (!set.getAndSet(false)) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        LockSupport.parkNanos(this, left);
      }
      sleeper.set(null);
      return true;
    }
  }

  private final Flag kick = new Flag();
  private final Flag call = new Flag();
  private final AtomicBoolean stop = new AtomicBoolean();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  @ParameterizedTest
  @CsvSource({"SPLIT, false", "SPLIT, true", "PACKED, false", "PACKED, true"})
  void losesNoWakeUpInEitherDirection(RingFormat format, boolean eventIndex)
      throws InterruptedException {
    try (TestRing ring =
        new TestRing(Options.of(format, SIZE).withEventIndex(eventIndex).withInOrder(eventIndex))) {
      Thread device = Thread.ofPlatform().start(() -> device(ring));
      long chains = driver(ring, eventIndex);
      stop.set(true);
      kick.signal();
      device.join();
      if (failure.get() != null) {
        throw new AssertionError("device", failure.get());
      }
      assertTrue(chains > 20_000, chains + " chains went through");
    }
  }

  /** Keeps the ring full, sleeps until half of it or all of it came back. */
  private long driver(TestRing ring, boolean eventIndex) {
    long chains = 0;
    Piece piece = new Piece(ring.driver.arena(), 1, false);
    long end = System.nanoTime() + NANOS;
    while (System.nanoTime() - end < 0) {
      int mark = ring.driver.mark();
      int count = ring.driver.freeDescriptors();
      for (int i = 0; i < count; i++) {
        ring.driver.post(piece);
      }
      chains += count;
      if (count > 0 && ring.driver.kickNeeded(mark)) {
        kick.signal();
      }
      int wanted = chains % 3 == 0 ? 1 : SIZE;
      if (eventIndex) {
        ring.driver.callAfter(wanted);
      } else {
        ring.driver.wantCalls(true);
      }
      for (int taken = 0; taken < wanted; ) {
        if (ring.driver.takeUsed() != null) {
          taken++;
        } else if (!call.await()) {
          throw new AssertionError("a call was lost after " + chains + " chains");
        }
      }
      if (!eventIndex) {
        ring.driver.wantCalls(false);
      }
    }
    return chains;
  }

  private void device(TestRing ring) {
    try {
      while (!stop.get()) {
        int count = ring.peek();
        if (count > 0) {
          if (ring.finish(count)) {
            call.signal();
          }
        } else if (!ring.queue.wantKicks()) {
          if (!kick.await()) {
            throw new AssertionError("a kick was lost");
          }
          ring.queue.refuseKicks();
        }
      }
    } catch (Throwable e) {
      failure.set(e);
    }
  }
}
