// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.function.LongSupplier;

/**
 * A clock that stands still while its thread does not run. The thread never waits and looks at the
 * clock after each short step, so a long gap between two looks is somebody else's: another program,
 * or the machine below. What the thread measures with this clock has those gaps taken off, and
 * nothing else. Nanoseconds; for one thread.
 */
final class AttentiveClock {
  private final LongSupplier time;
  private final long longestStep;
  private long lastLook;
  private long away;

  /**
   * @param time a clock that goes on
   * @param longestStep what is longer than this between two looks was a gap
   */
  AttentiveClock(LongSupplier time, long longestStep) {
    this.time = time;
    this.longestStep = longestStep;
    lastLook = time.getAsLong();
  }

  /** The time without the gaps. */
  long look() {
    long now = time.getAsLong();
    if (now - lastLook > longestStep) {
      away += now - lastLook;
    }
    lastLook = now;
    return now - away;
  }

  /** As {@link #look}, after work of this thread that may have taken long. */
  long lookAfterWork() {
    lastLook = time.getAsLong();
    return lastLook - away;
  }

  /** All gaps so far. */
  long away() {
    return away;
  }
}
