// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/**
 * The device's side of one virtqueue, split (virtio 1.3, 2.7) or packed (2.8). Looks ahead with
 * {@link #peek}, consumes with {@link #complete}, shows the driver with {@link #publish}. One
 * thread at a time. After an {@code InternalError} because its memory vanished a queue is of no
 * more use: compiled code may have run on.
 *
 * <p>A call here is paid once per burst; the loops over frames are inside each kind of queue.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue {
  Virtqueue() {}

  /** Entries. */
  public abstract int size();

  /**
   * Where the queue stands, in the form of VHOST_USER_GET_VRING_BASE: a split queue's next
   * available index.
   */
  public abstract int base();

  /** Index of the next used entry to write. */
  public abstract int usedIndex();

  /**
   * Appends up to {@code max} chains that follow those already in {@code chains}, consuming
   * nothing.
   *
   * @return how many were appended; fewer than {@code max} when the driver has no more or {@code
   *     chains} is full
   * @throws GuestFault when the next chain breaks a rule and no good one stands before it in {@code
   *     chains}
   */
  public abstract int peek(Chains chains, int max) throws GuestFault;

  /**
   * Gives the first {@code count} of {@code chains} back to the driver, each with {@code
   * chains.written[i]} bytes written; the driver sees them at the next {@link #publish}. They are
   * no longer in front of {@link #peek}, so the caller clears {@code chains} before it peeks again.
   */
  public abstract void complete(Chains chains, int count);

  /**
   * Shows the driver what was completed.
   *
   * @return whether the driver wants to be called for it
   */
  public abstract boolean publish();

  /**
   * Asks the driver to kick when it makes the next chain available.
   *
   * @return true when chains are available already, so that going to sleep would be a mistake
   */
  public abstract boolean wantKicks() throws GuestFault;

  /**
   * Asks the driver not to kick: we are looking anyway, or don't care. A hint; kicks may still
   * come.
   */
  public abstract void refuseKicks();

  /** Whether chains are available, by a fresh look at the ring. */
  public abstract boolean hasAvailable() throws GuestFault;
}
