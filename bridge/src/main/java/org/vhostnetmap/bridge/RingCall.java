// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.vhost.Vring;

/**
 * Whether the driver of a ring is to be called, from the moment something was published to the
 * call. Under the lock of the ring's sink, or of the one worker that has the ring as a source.
 */
final class RingCall {
  private final Vring vring;
  private final QueueCounters counters;
  private CallPause pause = new CallPause(0);
  private boolean unasked; // published, but whether the driver wants to be called is not known
  private boolean wanted;

  RingCall(Vring vring, QueueCounters counters) {
    this.vring = vring;
    this.counters = counters;
  }

  /** Leaves at least so long between two calls; before any worker has the ring. */
  void pausing(long nanos) {
    pause = new CallPause(nanos);
  }

  /** Something was published. */
  void published() {
    unasked = true;
  }

  /**
   * Whether there may be a call to make. Without the lock, whoever published in this round sees it
   * here, or sees that somebody asked the driver after it was published. (That one's fence may be
   * older than this publication; then it is the lock, handed over in between, that has ordered the
   * two.)
   */
  boolean isOpen() {
    return unasked || wanted;
  }

  /**
   * Calls the driver if it wants that, unless it is too soon after the last time. After a full
   * fence that came after publishing.
   *
   * @return {@link Sink#NOTHING_HELD}, or when this has to be called again, in nanoseconds of
   *     {@code System.nanoTime}
   */
  long call() {
    if (unasked) {
      boolean before = wanted;
      wanted = true; // should a page vanish meanwhile: a call too many, rather than none
      boolean wants = vring.queue().wantsCall();
      wanted = before || wants;
      unasked = false;
    }
    long again = wanted ? pause.ask() : Sink.NOTHING_HELD;
    if (wanted && again == Sink.NOTHING_HELD) {
      callNow();
    }
    return again;
  }

  /**
   * Control thread: no worker has the ring any more. Where the driver was not asked it is called
   * all the same, since this thread reads nothing of guests.
   */
  void callAtLast() {
    if (isOpen()) {
      callNow();
    }
  }

  private void callNow() {
    unasked = false;
    wanted = false;
    if (vring.call()) {
      counters.notifications++;
    }
  }
}
