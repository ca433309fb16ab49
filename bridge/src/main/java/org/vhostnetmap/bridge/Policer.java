// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * Applies a port's limit to what one of its sources lends. A frame that stays in its source for
 * want of room is lent again, but judged and charged once, by the length it had then: the verdicts
 * on the first frames of the next burst are remembered. Belongs to the source's worker.
 */
final class Policer {
  private final RateLimit limit; // shared by all sources of the port
  private long passed; // of the next burst's frames
  private long refused; // of the same

  Policer(RateLimit limit) {
    this.limit = limit;
  }

  /** Makes frames over the limit unfit. */
  void judge(Burst burst, long now) {
    long fresh = burst.valid & ~passed & ~refused;
    if (fresh != 0) {
      long admitted = limit.admit(burst, fresh, now);
      passed |= admitted;
      refused |= fresh & ~admitted;
    }
    for (long left = refused & burst.valid; left != 0; left &= left - 1) {
      burst.refuse(Long.numberOfTrailingZeros(left), DropReason.RATE_LIMIT);
    }
    burst.valid &= ~refused;
  }

  /** So many frames from the first on do not come again. */
  void settled(int count) {
    passed >>>= count;
    refused >>>= count;
  }
}
