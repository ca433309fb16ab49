// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

/**
 * When something is due: the n-th time is n intervals after the start, however late others were.
 */
final class Pace {
  private final double intervalNanos;
  private final long start;
  private long count;
  private long due;

  /** {@code perSecond} times from {@code start} on; 0 for never. */
  Pace(double perSecond, long start) {
    intervalNanos = 1e9 / perSecond;
    this.start = start;
    due = perSecond == 0 ? Long.MAX_VALUE : start;
  }

  /** When the next one is due, in nanoseconds of {@code System.nanoTime}. */
  long due() {
    return due;
  }

  /** It was done. */
  void next() {
    count++;
    due = start + (long) (count * intervalNanos);
  }
}
