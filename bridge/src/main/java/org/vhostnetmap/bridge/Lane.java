// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.jspecify.annotations.Nullable;

/**
 * One source on its worker, with what the worker remembers of it. Belongs to the worker's thread.
 */
final class Lane {
  final Source source;

  /** Judges its frames by the port's rate limit; null when there is none. */
  final @Nullable Policer policer;

  /** Index of the source's port in the bridge. */
  final int port;

  /** How long it is polled. */
  final Polling polling = new Polling(System.nanoTime());

  /** Whether frames come often enough to look after it every few microseconds while it rests. */
  final boolean busy;

  /** Since when the one sink of a wire has had no room; 0 = it has. */
  long fullSince;

  /** When that sink is asked again. */
  long retryAt = System.nanoTime();

  /**
   * Of the frames that stayed in the source for want of room: those behind the first that the sink
   * took all the same, by their place in the next burst.
   */
  long takenAhead;

  /** Whether its source may have to notify its other side of what was consumed. */
  boolean unflushed;

  /** Whether notifications are armed and the lane is not polled. */
  boolean resting;

  /** When a resting lane is to be polled all the same; {@link Long#MAX_VALUE} for never. */
  long wakeAt = Long.MAX_VALUE;

  /** Memory faults in a row that nobody could be blamed for. */
  int strikes;

  /** The same of its calls. */
  int callStrikes;

  /** Out of use for good. */
  boolean retired;

  Lane(Source source, int port) {
    this(source, port, null);
  }

  Lane(Source source, int port, @Nullable Policer policer) {
    this.source = source;
    this.policer = policer;
    this.port = port;
    busy = source.isBusy();
  }
}
