// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * The shortest time between two calls of one ring, as {@code ethtool -C rx-usecs} sets it for a
 * NIC. Whoever wants to call asks first; whoever was put off asks again when the time has come, so
 * that no call is lost. Under the lock of the ring, or of the ring's one worker.
 */
final class CallPause {
  private final long pauseNanos;
  private long last;

  /** No pause when {@code pauseNanos} is 0. */
  CallPause(long pauseNanos) {
    this.pauseNanos = pauseNanos;
    last = System.nanoTime() - pauseNanos;
  }

  /**
   * Asks to call now.
   *
   * @return {@link Sink#NOTHING_HELD} when the caller is to call; else when to ask again, in
   *     nanoseconds of {@code System.nanoTime}
   */
  long ask() {
    if (pauseNanos == 0) {
      return Sink.NOTHING_HELD;
    }
    long now = System.nanoTime();
    if (now - last < pauseNanos) {
      return last + pauseNanos;
    }
    last = now;
    return Sink.NOTHING_HELD;
  }
}
