// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * Applies a port's limit to what one of its sources lends. A frame that stays in its source for
 * want of room is lent again, but judged and charged once: the verdicts on the first frames of the
 * next burst are remembered. Belongs to the source's worker.
 */
final class Policer {
  private final RateLimit limit; // shared by all sources of the port
  private int judged; // of the next burst's frames, so many from the first on
  private long refused; // of these

  Policer(RateLimit limit) {
    this.limit = limit;
  }

  /** Makes frames over the limit unfit. */
  void judge(Burst burst, long now) {
    long known = Burst.first(Math.min(judged, burst.count));
    long fresh = burst.valid & ~known;
    long over = (refused & known) | (fresh == 0 ? 0 : fresh & ~limit.admit(burst, fresh, now));
    for (long left = over & burst.valid; left != 0; left &= left - 1) {
      burst.refuse(Long.numberOfTrailingZeros(left), DropReason.RATE_LIMIT);
    }
    burst.valid &= ~over;
    judged = Math.max(judged, burst.count);
    refused = (refused & ~Burst.first(burst.count)) | over;
  }

  /** So many frames from the first on do not come again. */
  void settled(int count) {
    judged -= count;
    refused >>>= count;
  }
}
