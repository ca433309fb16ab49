// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * How long a source is polled after its last frame: through pauses shorter than a ceiling when that
 * has paid lately, not at all when frames come more rarely.
 *
 * <p>A pause that outlasted the limit but not the ceiling was slept through too early: the limit
 * grows to twice that pause. A pause beyond the ceiling was polled in vain: the limit halves, down
 * to nothing, unless polling has paid since. What counts as paid is a pause that needed a good part
 * of the limit; the short ones inside a train of frames say nothing about the long ones between
 * trains.
 *
 * <p>Beyond the limit a source may spend a sixteenth of the time for which its traffic has gone on:
 * who has sent steadily for a while and is late once finds us awake, and not asleep for as long as
 * others keep the processor. Each source has such an account of its own. Times are nanoseconds of
 * {@code System.nanoTime}; belongs to the worker's thread.
 */
final class Polling {
  /** A limit below this is none: about what going to sleep and waking up costs. */
  private static final long SHORTEST_NANOS = 4_000;

  /** Pauses in vain that are forgiven after as many that were not. */
  private static final int MOST_CREDIT = 8;

  /** What a source earns of the time for which its traffic goes on: 1/16. */
  private static final int EARNED_SHIFT = 4;

  /** So much of that is kept at most. */
  private static final long MOST_EARNED_NANOS = 20_000_000;

  /** So much is spent on one pause at most; but no more ceilings than {@link #MOST_SPENT}. */
  private static final long MOST_SPENT_NANOS = 5_000_000;

  private static final int MOST_SPENT = 25;

  private long lastFrame;
  private long limit;
  private long earned;
  private long mostSpent; // on one pause; 0 until the ceiling is known
  private int credit;

  /** Starts without polling. */
  Polling(long now) {
    lastFrame = now;
  }

  /** Frames came. */
  void frames(long now, long ceiling) {
    long pause = now - lastFrame;
    long patience = patience();
    if (pause > ceiling) {
      earned = Math.max(0, earned - Math.min(pause, patience));
    } else if (pause <= patience) {
      earned = Math.min(MOST_EARNED_NANOS, earned + (pause >> EARNED_SHIFT));
    }
    lastFrame = now;
    if (pause > limit >> 2) {
      mostSpent = Math.min(MOST_SPENT_NANOS, MOST_SPENT * ceiling);
      learn(pause, ceiling);
    }
  }

  private void learn(long pause, long ceiling) {
    if (pause <= ceiling) {
      credit = Math.min(MOST_CREDIT, credit + 1);
      if (pause > limit) {
        limit = Math.min(ceiling, Math.max(SHORTEST_NANOS, 2 * pause));
      }
    } else if (credit > 0) {
      credit--;
    } else {
      limit = limit >> 1 < SHORTEST_NANOS ? 0 : limit >> 1;
    }
  }

  /** Whether it is time to arm notifications and sleep. */
  boolean isOver(long now) {
    return now - lastFrame >= patience();
  }

  /** How long polling goes on after the last frame, in nanoseconds. */
  long patience() {
    return Math.max(limit, Math.min(mostSpent, earned));
  }
}
