// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A sink behind a rate limit. What is over the limit is dropped, on a wire too: it is policed, not
 * held back, so that a sender's queue never fills for somebody else's limit.
 */
final class LimitedSink implements Sink {
  private final Sink sink;
  private final RateLimit limit;

  LimitedSink(Sink sink, RateLimit limit) {
    this.sink = sink;
    this.limit = limit;
  }

  @Override
  public long offer(Burst burst, long frames) {
    long passing = limit.admit(burst, frames, System.nanoTime());
    long over = frames & ~passing;
    if (over != 0) {
      sink.drop(DropReason.RATE_LIMIT, burst, over);
      burst.taken |= over;
    }
    long left = passing == 0 ? 0 : sink.offer(burst, passing);
    if (left != 0) {
      limit.refund(burst, left);
    }
    return left;
  }

  @Override
  public void drop(DropReason reason, Burst burst, long frames) {
    sink.drop(reason, burst, frames);
  }

  @Override
  public void forget(DropReason reason, Burst burst, long frames) {
    sink.forget(reason, burst, frames);
  }

  @Override
  public DropReason fullReason() {
    return sink.fullReason();
  }

  @Override
  public long flush() {
    return sink.flush();
  }
}
