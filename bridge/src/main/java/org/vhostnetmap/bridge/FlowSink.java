// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;

/**
 * All queues of a port that frames may go to, as one sink: the receiveqs of a guest, the TX rings
 * of a NIC. Flows spread over them by {@link FlowHash}, so that the frames of one flow stay in
 * order; with no queue up, frames are dropped and counted.
 */
final class FlowSink implements Sink {
  private static final Sink[] NONE = {};

  private final QueueCounters counters;
  private final DropReason none;
  private final DropReason full;
  private volatile Sink[] queues = NONE;

  /**
   * A sink without queues.
   *
   * @param counters count what finds no queue at all
   * @param none why there may be none
   * @param full why frames find no room in one
   */
  FlowSink(QueueCounters counters, DropReason none, DropReason full) {
    this.counters = counters;
    this.none = none;
    this.full = full;
  }

  /**
   * Replaces the queues; the old ones are let go of only after all workers passed a quiescent
   * point.
   */
  void use(List<? extends Sink> running) {
    queues = running.toArray(NONE);
  }

  @Override
  public long offer(Burst burst, long frames) {
    Sink[] to = queues;
    if (to.length == 1) {
      return to[0].offer(burst, frames);
    }
    if (to.length == 0) {
      dropWithoutQueue(none, Long.bitCount(frames));
      burst.taken |= frames;
      return 0;
    }
    return spread(burst, frames, to);
  }

  /** Each queue takes its frames in order; what finds one queue full does not hold up another. */
  private static long spread(Burst burst, long frames, Sink[] to) {
    long[] ofQueue = burst.queueFrames(to.length);
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      ofQueue[FlowHash.of(burst, i) % to.length] |= 1L << i;
    }
    long rest = 0;
    for (int q = 0; q < to.length; q++) {
      if (ofQueue[q] != 0) {
        rest |= to[q].offer(burst, ofQueue[q]);
      }
    }
    return rest;
  }

  /**
   * Several queues: counted here, as nobody has to know any more which one it was. But one may have
   * taken a part of a frame, and not the one its flow has now, if there were more or fewer of them
   * then; so all are told.
   */
  @Override
  public void drop(DropReason reason, Burst burst, long frames) {
    Sink[] to = queues;
    if (to.length == 1) {
      to[0].drop(reason, burst, frames);
      return;
    }
    dropWithoutQueue(reason, Long.bitCount(frames));
    forget(reason, burst, frames);
  }

  /** All of them: the frames' own one would take a look at memory that may have vanished. */
  @Override
  public void forget(DropReason reason, Burst burst, long frames) {
    for (Sink queue : queues) {
      queue.forget(reason, burst, frames);
    }
  }

  private synchronized void dropWithoutQueue(DropReason reason, long count) {
    counters.drop(reason, count);
  }

  @Override
  public DropReason fullReason() {
    return full;
  }

  @Override
  public long flush() {
    long again = NOTHING_HELD;
    for (Sink queue : queues) {
      again = Math.min(again, queue.flush());
    }
    return again;
  }
}
