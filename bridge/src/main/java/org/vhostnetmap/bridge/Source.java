// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * Where frames come from: a guest's transmitq, a TAP, a netmap receive ring. Owned by one worker,
 * which calls everything but the constructor; lends its frames in place and consumes them only in
 * {@link #advance}.
 */
interface Source {
  /** What {@link #rest} answers when only the file descriptor can bring news. */
  long UNTIL_READY = Long.MAX_VALUE;

  /**
   * Fills the cleared burst with the frames that come next, consuming none: the same ones again
   * until advance.
   */
  void peek(Burst burst);

  /**
   * Counts the first {@code count} frames of the burst as received, and the unfit ones among them
   * as dropped.
   */
  void count(Burst burst, int count);

  /** Consumes the first {@code count} frames of the burst and shows that to the other side. */
  void advance(Burst burst, int count);

  /**
   * Notifies the other side of what was consumed, if it wants to know: once after several bursts.
   * The caller made a {@link org.vhostnetmap.linux.Memory#fullFence} since the last of them.
   *
   * @return {@link Sink#NOTHING_HELD}, or when this has to be called again, because it is too soon
   *     after the last time
   */
  default long tryCall() {
    return Sink.NOTHING_HELD;
  }

  /** The file descriptor that becomes readable when there is something to peek, or -1. */
  int readyFd();

  /**
   * Prepares to be left alone: asks for notifications, then looks once more.
   *
   * @return 0 when there is something to do already; else for how many nanoseconds it may be left
   *     alone
   */
  long rest();

  /**
   * Whether frames that find no room on a wire may stay here for a while. False where waiting means
   * that others are lost unseen behind them.
   */
  default boolean mayWait() {
    return true;
  }

  /** Whether frames come often enough to count when sources are spread over workers. */
  default boolean isBusy() {
    return true;
  }

  /** Ends the rest: notifications are not wanted any more. */
  void wake();
}
