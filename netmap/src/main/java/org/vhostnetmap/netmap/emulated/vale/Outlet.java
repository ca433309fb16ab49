// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.vhostnetmap.netmap.emulated.DropReason;

/**
 * One ring that a switch puts frames into. All methods but {@link #lock}, {@link #port} and {@link
 * #announce} are called with the lock held, between {@link #begin} and {@link #commit}: senders
 * take turns, each with a whole batch.
 */
abstract class Outlet {
  private final SwitchPort port;

  Outlet(SwitchPort port) {
    this.port = port;
  }

  final SwitchPort port() {
    return port;
  }

  /** What senders synchronize on. */
  abstract Object lock();

  /** Whether anybody takes frames here now. */
  abstract boolean isOpen();

  /**
   * Looks how much room there is.
   *
   * @param wanted slots that would be good to have
   * @return how many there are
   */
  abstract int begin(int wanted);

  /** The first free slot. */
  abstract int first();

  /** The slot after this one. */
  abstract int next(int slot);

  /** Host address of a free slot's buffer, 0 when the receiver broke it. */
  abstract long data(int slot);

  /** Bytes that fit there. */
  abstract int usableBytes();

  /** How many slots one frame may span. */
  abstract int longestChain();

  /** Says what is in a slot. */
  abstract void set(int slot, int length, int flags);

  /** Slots before {@code end} are filled. */
  abstract void commit(int end);

  /** Counts frames that found no room, or no way into this ring. */
  abstract void drop(DropReason reason, long frames);

  /** Tells the receiver, once per batch. Without the lock. */
  abstract void announce();
}
