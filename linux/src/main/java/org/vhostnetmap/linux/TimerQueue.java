// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.BooleanSupplier;

/** The timers of one event loop, by their time. One thread. */
final class TimerQueue {
  private static final Logger LOG = System.getLogger(EventLoop.class.getName());
  private static final long NANOS_PER_MILLI = 1_000_000;

  /** Earlier first, by the difference since nanoTime may wrap; of two for one moment the older. */
  private static final Comparator<Entry> BY_TIME =
      (a, b) -> a.due != b.due ? Long.signum(a.due - b.due) : Long.compare(a.sequence, b.sequence);

  private final PriorityQueue<Entry> entries = new PriorityQueue<>(BY_TIME);
  private long lastSequence;

  /** {@code dueNanos} by System.nanoTime; a period of 0 is a timer that runs once. */
  EventLoop.Timer add(long dueNanos, long periodNanos, Runnable task) {
    Entry entry = new Entry(dueNanos, ++lastSequence, periodNanos, task);
    entries.add(entry);
    return entry;
  }

  /**
   * How long to wait for the next one, rounded up lest the last millisecond be spent spinning; -1:
   * for ever.
   */
  int millisToNext() {
    Entry next = entries.peek();
    if (next == null) {
      return -1;
    }
    long nanos = Math.max(0, next.due - System.nanoTime());
    return (int) Math.min(Integer.MAX_VALUE, (nanos + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI);
  }

  /**
   * Runs whatever is due now, until {@code stop}; what becomes due meanwhile is for the next call.
   */
  void runDue(BooleanSupplier stop) {
    long now = System.nanoTime();
    Entry entry = entries.peek();
    while (entry != null && entry.due - now <= 0 && !stop.getAsBoolean()) {
      entries.poll();
      if (entry.periodNanos > 0) {
        long missed = (now - entry.due) / entry.periodNanos;
        entry.due += (missed + 1) * entry.periodNanos;
        entries.add(entry);
      }
      run(entry);
      entry = entries.peek();
    }
  }

  private static void run(Entry entry) {
    try {
      entry.task.run();
    } catch (Throwable e) {
      LOG.log(Level.ERROR, "timer task failed; cancelled", e);
      entry.cancel();
    }
  }

  private final class Entry implements EventLoop.Timer {
    private long due;
    private final long sequence;
    private final long periodNanos;
    private final Runnable task;

    private Entry(long due, long sequence, long periodNanos, Runnable task) {
      this.due = due;
      this.sequence = sequence;
      this.periodNanos = periodNanos;
      this.task = task;
    }

    @Override
    public void cancel() {
      entries.remove(this);
    }
  }
}
