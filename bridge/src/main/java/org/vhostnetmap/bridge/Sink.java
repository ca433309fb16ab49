// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * Where frames go: a guest's receiveqs, a TAP, a netmap transmit ring. Any worker may call, one at
 * a time: each implementation has a lock of its own, taken once per burst.
 */
interface Sink {
  /** What {@link #flush} answers when nothing waits. */
  long NOTHING_HELD = Long.MAX_VALUE;

  /**
   * Copies frames out of the burst, in order. What the sink itself has to drop it counts. {@code
   * burst.taken} is zeroed by the caller and grows as frames are done with, so that it holds even
   * when a vanished page ends the call early.
   *
   * @param frames a mask of valid frames, not empty
   * @return the frames there was no room for; of one flow always the last ones
   */
  long offer(Burst burst, long frames);

  /**
   * Counts frames that were not taken as dropped: they are not offered again.
   *
   * @param frames a mask of frames that the burst still has
   */
  void drop(DropReason reason, Burst burst, long frames);

  /**
   * The same where somebody else counts them, for a sink that remembers something of frames it did
   * not take.
   */
  default void forget(DropReason reason, Burst burst, long frames) {}

  /** Why frames find no room in this sink. */
  DropReason fullReason();

  /**
   * Notifies the other side of what was offered since the last time, if it wants to know. The
   * caller made a {@link org.vhostnetmap.linux.Memory#fullFence} since the last offer. A
   * notification that comes too soon after the last one is held back.
   *
   * @return {@link #NOTHING_HELD}, or when this has to be called again, in nanoseconds of {@code
   *     System.nanoTime}
   */
  long flush();
}
