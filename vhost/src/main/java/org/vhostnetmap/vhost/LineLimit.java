// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.function.LongSupplier;

/**
 * How many lines one port may write to the log: a peer that connects, does something wrong and
 * connects again must not fill the disk. Twenty at once, and one more every five seconds. One
 * thread.
 */
final class LineLimit {
  static final int MOST = 20;
  static final long REFILL_NANOS = 5_000_000_000L;

  private final LongSupplier nanoTime;
  private int left = MOST;
  private long lastRefill;
  private long omitted;

  /** {@code nanoTime} as {@link System#nanoTime}. */
  LineLimit(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    lastRefill = nanoTime.getAsLong();
  }

  /** Whether the next line may be written; else it counts as left out. */
  boolean take() {
    long refills = (nanoTime.getAsLong() - lastRefill) / REFILL_NANOS;
    lastRefill += refills * REFILL_NANOS;
    left = (int) Math.min(MOST, left + refills);
    if (left == 0) {
      omitted++;
      return false;
    }
    left--;
    return true;
  }

  /** How many lines were left out since this was asked last. */
  long takeOmitted() {
    long count = omitted;
    omitted = 0;
    return count;
  }
}
