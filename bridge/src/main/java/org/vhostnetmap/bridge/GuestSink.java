// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;

/**
 * All receiveqs of a guest as one sink. Flows spread over the enabled pairs by {@link FlowHash}, so
 * that the frames of one flow stay in order; with no ring up, frames are dropped and counted.
 */
final class GuestSink implements Sink {
  private static final GuestReceive[] NONE = {};

  private final QueueCounters counters;
  private volatile GuestReceive[] rings = NONE;

  /** {@code counters} count what finds no ring at all. */
  GuestSink(QueueCounters counters) {
    this.counters = counters;
  }

  /**
   * Replaces the rings; the old ones are let go of only after all workers passed a quiescent point.
   */
  void use(List<GuestReceive> running) {
    rings = running.toArray(NONE);
  }

  @Override
  public long offer(Burst burst, long frames) {
    GuestReceive[] to = rings;
    if (to.length == 1) {
      return to[0].offer(burst, frames);
    }
    if (to.length == 0) {
      dropWithoutRing(DropReason.NOT_READY, Long.bitCount(frames));
      burst.taken |= frames;
      return 0;
    }
    return spread(burst, frames, to);
  }

  /** Each ring takes its frames in order; what finds one ring full does not hold up another. */
  private long spread(Burst burst, long frames, GuestReceive[] to) {
    int[] ring = burst.ring;
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      ring[i] = FlowHash.of(burst, i) % to.length;
    }
    long full = 0;
    for (int r = 0; r < to.length; r++) {
      long mine = 0;
      for (long left = frames; left != 0; left &= left - 1) {
        int i = Long.numberOfTrailingZeros(left);
        mine |= ring[i] == r ? 1L << i : 0;
      }
      if (mine != 0) {
        full |= to[r].offer(burst, mine);
      }
    }
    return full;
  }

  @Override
  public void drop(DropReason reason, long count) {
    GuestReceive[] to = rings;
    if (to.length == 1) {
      to[0].drop(reason, count);
    } else {
      dropWithoutRing(reason, count);
    }
  }

  private synchronized void dropWithoutRing(DropReason reason, long count) {
    counters.drop(reason, count);
  }

  @Override
  public DropReason fullReason() {
    return DropReason.NO_BUFFERS;
  }

  @Override
  public void flush() {
    for (GuestReceive ring : rings) {
      ring.flush();
    }
  }
}
