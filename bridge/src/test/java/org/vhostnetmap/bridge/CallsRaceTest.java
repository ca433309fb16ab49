// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * A worker shows what it consumed and asks whether a call is wanted, while a driver asks for a call
 * and looks whether there is anything: one of the two has to see the other. Without the fence in
 * {@link Calls#flush} both miss in some rounds of a hundred thousand: a store that waits for its
 * cache line does not keep back the loads behind it.
 */
final class CallsRaceTest {
  private static final int ROUNDS = 1_000_000;

  /** On a machine that has no time it ends early. */
  private static final long NANOS = 5_000_000_000L;

  private static final long OVER = Long.MAX_VALUE;

  // A cache line, and the one that the processor fetches with it, for each word.
  private static final int USED = 0;
  private static final int WANTED = 128;
  private static final int WORKER_IN = 256;
  private static final int DRIVER_IN = 384;
  private static final int DRIVER_DONE = 512;
  private static final int DRIVER_SAW = DRIVER_DONE + Long.BYTES;

  /** A source of one frame a round. */
  private static final class OneFrame implements Source {
    private final long memory;
    private long round;
    private long wanted;

    OneFrame(long memory) {
      this.memory = memory;
    }

    @Override
    public void peek(Burst burst) {}

    @Override
    public void count(Burst burst, int count) {}

    @Override
    public void advance(Burst burst, int count) {
      Memory.publishLong(memory + USED, round);
    }

    @Override
    public long tryCall() {
      wanted = Memory.getLong(memory + WANTED);
      return Sink.NOTHING_HELD;
    }

    @Override
    public int readyFd() {
      return -1;
    }

    @Override
    public long rest() {
      return UNTIL_READY;
    }

    @Override
    public void wake() {}
  }

  @Test
  void whatWasConsumedIsShownBeforeAnyDriverIsAskedWhetherItWantsACall() throws Exception {
    try (Mapping mapping = Mapping.anonymous(4096)) {
      long memory = mapping.address();
      OneFrame source = new OneFrame(memory);
      Lane lane = new Lane(source, 0);
      Calls calls = new Calls(new Forwarding(List.of(), new MacTable(1, 300)));
      calls.use(new Lane[] {lane});
      Burst burst = new Burst();
      Thread driver = Thread.ofPlatform().daemon().start(() -> driver(memory));
      int missed = 0;
      long rounds = 0;
      long end = System.nanoTime() + NANOS;
      try {
        while (rounds < ROUNDS && System.nanoTime() < end) {
          long round = ++rounds;
          source.round = round;
          meet(memory, WORKER_IN, DRIVER_IN, round);
          source.advance(burst, 1);
          calls.burst(lane);
          calls.flush();
          meet(memory, WORKER_IN, DRIVER_DONE, round);
          boolean driverSaw = Memory.getLong(memory + DRIVER_SAW) == round;
          missed += source.wanted == round || driverSaw ? 0 : 1;
        }
      } finally {
        Memory.publishLong(memory + WORKER_IN, OVER);
        driver.join(); // it reads this memory
      }
      assertEquals(0, missed, "rounds of " + rounds + " in which both missed each other");
    }
  }

  private static void driver(long memory) {
    for (long round = 1; meet(memory, DRIVER_IN, WORKER_IN, round) != OVER; round++) {
      Memory.publishLong(memory + WANTED, round);
      Memory.fullFence();
      long used = Memory.getLong(memory + USED);
      Memory.putLong(memory + DRIVER_SAW, used);
      Memory.publishLong(memory + DRIVER_DONE, round);
    }
  }

  /** Says that one is in this round, and waits for the other; what that one said. */
  private static long meet(long memory, int mine, int other, long round) {
    Memory.publishLong(memory + mine, round);
    long others = Memory.getLongAcquire(memory + other);
    for (int i = 0; others < round; i++) {
      if (i > 1_000) {
        LockSupport.parkNanos(1_000); // there may be but one processor
      }
      Thread.onSpinWait();
      others = Memory.getLongAcquire(memory + other);
    }
    return others;
  }
}
