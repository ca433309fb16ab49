// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.EnumMap;
import java.util.Map;

/**
 * What one queue moved and dropped, since the program began. Written by one thread at a time (the
 * worker that owns the source, or whoever holds the sink's lock); read after a quiescent point,
 * which makes it exact.
 */
@SuppressWarnings("EnumOrdinal") // an array of counters by reason: never stored, never sent
public final class QueueCounters {
  private final String queue;
  private final boolean source;
  private final long[] drops = new long[DropReason.values().length];

  /**
   * Frames received from the queue (a source) or delivered to it (a sink), dropped ones included in
   * a source.
   */
  long frames;

  /** Bytes of these frames, without virtio-net headers. */
  long bytes;

  /** Of the delivered frames, those that moved with their buffer instead of being copied. */
  long moved;

  /** Frames that the sink made when it cut some that asked for it; those count as one each. */
  long segments;

  /** Frames of the source that the sink put together with others; they count one by one. */
  long coalesced;

  /** Times the other side was notified. */
  long notifications;

  /**
   * Counters of a source ({@code true}) or sink named like {@code rx0}, from the port's own
   * documents.
   */
  QueueCounters(String queue, boolean source) {
    this.queue = queue;
    this.source = source;
  }

  /**
   * Counts the first {@code count} frames of a burst as received from this source, the unfit among
   * them as dropped.
   */
  void count(Burst burst, int count) {
    frames += count;
    for (int i = 0; i < count; i++) {
      bytes += burst.length[i];
    }
    for (long unfit = Burst.first(count) & ~burst.valid; unfit != 0; unfit &= unfit - 1) {
      drop(burst.reason[Long.numberOfTrailingZeros(unfit)], 1);
    }
  }

  /** Counts dropped frames. */
  void drop(DropReason reason, long count) {
    drops[reason.ordinal()] += count;
  }

  /** All frames dropped at this queue. */
  long dropped() {
    long sum = 0;
    for (long count : drops) {
      sum += count;
    }
    return sum;
  }

  /** The numbers as they are now. */
  QueueStatus status() {
    Map<DropReason, Long> byReason = new EnumMap<>(DropReason.class);
    for (DropReason reason : DropReason.values()) {
      if (drops[reason.ordinal()] != 0) {
        byReason.put(reason, drops[reason.ordinal()]);
      }
    }
    return new QueueStatus(
        queue, source, frames, bytes, notifications, moved, segments, coalesced, byReason);
  }
}
