// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.TestRing.Options;

/**
 * Ten million times one side of a ring goes to sleep while the other is about to wake it, with
 * pauses of random length around every step. Nobody waits for a clock: when both sleep and nobody
 * was signalled, a wake-up was lost, and whoever sees that ends the test.
 *
 * <p>It fails within seconds when either fence, or the second look before sleeping, is taken out of
 * the queue. On a machine that has no time it ends early and says how far it came, unless the
 * property {@code vhostnetmap.sleeps} says how far it has to come.
 */
class SleepWakeTest {
  private static final int SIZE = 8;
  private static final @Nullable Long ASKED = Long.getLong("vhostnetmap.sleeps");

  /** There are two kinds of notifications on two formats of rings. */
  private static final long SLEEPS = (ASKED == null ? 10_000_000 : ASKED) / 4;

  private static final long NANOS = ASKED == null ? 5_000_000_000L : Long.MAX_VALUE;

  /** One of the two sides: asleep or not, signalled or not, as an eventfd has it. */
  private static final class Side {
    private final String name;
    private volatile boolean signalled;
    private volatile long sleep; // odd while asleep: this side's sleeps have numbers
    private long turns; // the same, its own
    private long random;

    Side(String name, long seed) {
      this.name = name;
      random = seed;
    }

    /** Xorshift; this side's thread only. */
    int random(int bound) {
      random ^= random << 13;
      random ^= random >>> 7;
      random ^= random << 17;
      return (int) (random >>> 33) % bound;
    }

    /** Mostly none, often a few nanoseconds, now and then as long as the other's whole round. */
    void pause() {
      int kind = random(8);
      int spins = kind < 3 ? 0 : kind < 7 ? random(16) : random(200);
      for (int i = 0; i < spins; i++) {
        random += i;
      }
    }

    /** Until signalled; false when nobody is left who could signal. */
    boolean sleep(Side other) {
      sleep = ++turns;
      for (int i = 0; !signalled; i++) {
        if (i > 50 && isAsleepForEver(other) && !signalled) {
          return false;
        }
        if (i > 200) {
          LockSupport.parkNanos(1000); // there may be but one processor
        }
        Thread.onSpinWait();
      }
      sleep = ++turns; // awake before the signal is gone: else it would look asleep for ever
      signalled = false; // before the look at the ring, as one drains an eventfd
      return true;
    }

    /** The same sleep before and after a look that found no signal. */
    private static boolean isAsleepForEver(Side other) {
      long number = other.sleep;
      return (number & 1) != 0 && !other.signalled && other.sleep == number;
    }

    long sleeps() {
      return sleep / 2;
    }

    @Override
    public String toString() {
      return name + " slept " + sleeps() + " times";
    }
  }

  private final Side driver = new Side("driver", 0x9E3779B97F4A7C15L);
  private final Side device = new Side("device", 0x5851F42D4C957F2DL);
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private volatile boolean over;

  @ParameterizedTest
  @CsvSource({"SPLIT, false", "SPLIT, true", "PACKED, false", "PACKED, true"})
  void noWakeUpIsLostInMillionsOfRaces(RingFormat format, boolean eventIndex)
      throws InterruptedException {
    try (TestRing ring = new TestRing(Options.of(format, SIZE).withEventIndex(eventIndex))) {
      Thread thread = Thread.ofPlatform().start(() -> guarded(() -> device(ring)));
      guarded(() -> driver(ring, eventIndex));
      over = true;
      device.signalled = true;
      thread.join();
      if (failure.get() != null) {
        throw new AssertionError(driver + ", " + device, failure.get());
      }
      System.out.println(
          format + (eventIndex ? ", event index: " : ", flags: ") + driver + ", " + device);
      long few = Math.min(SLEEPS / 20, 1000);
      assertTrue(driver.sleeps() > few && device.sleeps() > few, driver + ", " + device);
    }
  }

  private interface Loop {
    void run() throws GuestFault;
  }

  private void guarded(Loop loop) {
    try {
      loop.run();
    } catch (GuestFault | RuntimeException | AssertionError e) {
      failure.compareAndSet(null, e);
      over = true;
      driver.signalled = true;
      device.signalled = true;
    }
  }

  /** Makes a few chains available, kicks if asked to, sleeps until some or all came back. */
  private void driver(TestRing ring, boolean eventIndex) {
    Piece piece = new Piece(ring.driver.arena(), 1, false);
    long start = System.nanoTime();
    while (!over
        && System.nanoTime() - start < NANOS
        && driver.sleeps() + device.sleeps() < SLEEPS) {
      int mark = ring.driver.mark();
      int room = ring.driver.freeDescriptors();
      int count = room == 0 ? 0 : 1 + driver.random(room);
      for (int i = 0; i < count; i++) {
        ring.driver.post(piece);
      }
      driver.pause();
      if (count > 0 && ring.driver.kickNeeded(mark)) {
        device.signalled = true;
      }
      int held = SIZE - ring.driver.freeDescriptors();
      int wanted = 1 + driver.random(held);
      driver.pause();
      if (eventIndex) {
        ring.driver.callAfter(wanted);
      } else {
        ring.driver.wantCalls(true);
      }
      int taken = takeAll(ring);
      while (!over && taken < wanted) {
        if (!driver.sleep(device)) {
          throw new AssertionError("a wake-up was lost; the driver waits for " + wanted);
        }
        taken += takeAll(ring);
      }
      if (!eventIndex) {
        ring.driver.wantCalls(false);
      }
      driver.pause();
    }
  }

  private static int takeAll(TestRing ring) {
    int taken = 0;
    while (ring.driver.takeUsed() != null) {
      taken++;
    }
    return taken;
  }

  private void device(TestRing ring) throws GuestFault {
    while (!over) {
      int count = ring.peek();
      if (count > 0) {
        device.pause();
        ring.publish(1 + device.random(count));
        if (device.random(4) > 0) {
          askForCall(ring); // else after more was published, at the latest before it sleeps
        }
        continue;
      }
      askForCall(ring);
      device.pause();
      if (!ring.queue.wantKicks()) {
        device.pause();
        if (!device.sleep(driver)) {
          throw new AssertionError("a wake-up was lost; the device waits for a kick");
        }
      }
      ring.queue.refuseKicks();
      device.pause();
    }
  }

  private void askForCall(TestRing ring) {
    device.pause();
    Memory.fullFence();
    if (ring.queue.wantsCall()) {
      driver.signalled = true;
    }
  }
}
