// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import org.vhostnetmap.linux.Memory;

/**
 * The device's side of one virtqueue, split (virtio 1.3, 2.7) or packed (2.8). Looks ahead with
 * {@link #peek}, consumes with {@link #complete}, shows the driver with {@link #publish}. One
 * thread at a time. After an {@code InternalError} because its memory vanished a queue is of no
 * more use: compiled code may have run on.
 *
 * <p>A call here is paid once per burst; the loops over frames are inside each kind of queue.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue, PackedVirtqueue {
  /**
   * What the driver set up, addresses already translated by the owner of the memory. The areas have
   * the names of virtio 1.3, 2.6.
   *
   * @param format of the ring
   * @param size entries
   * @param descriptorArea host address of {@link RingFormat#descriptorAreaBytes} mapped bytes
   * @param driverArea host address of {@link RingFormat#driverAreaBytes}
   * @param deviceArea host address of {@link RingFormat#deviceAreaBytes}
   * @param base where to go on, in the form of VHOST_USER_SET_VRING_BASE
   * @param direction which way the buffers go
   * @param eventIndex VIRTIO_F_EVENT_IDX was negotiated
   * @param indirect VIRTIO_F_INDIRECT_DESC was negotiated
   * @param inOrder VIRTIO_F_IN_ORDER was negotiated
   */
  public record Setup(
      RingFormat format,
      int size,
      long descriptorArea,
      long driverArea,
      long deviceArea,
      int base,
      Direction direction,
      boolean eventIndex,
      boolean indirect,
      boolean inOrder) {
    /** Refuses what no driver may ask for. */
    public Setup {
      if (!format.isSize(size)) {
        throw new IllegalArgumentException("ring size " + size + " is not " + format.sizes());
      }
      if (!format.isAligned(descriptorArea, driverArea, deviceArea)) {
        throw new IllegalArgumentException(
            "ring addresses are not aligned to " + format.alignments() + " bytes");
      }
      if (!format.isBase(base, size)) {
        throw new IllegalArgumentException(
            "base 0x" + Integer.toHexString(base) + " is outside a ring of " + size);
      }
    }

    void require(RingFormat wanted) {
      if (format != wanted) {
        throw new IllegalArgumentException("a " + format + " ring is not " + wanted);
      }
    }
  }

  Virtqueue() {}

  /** Takes over a ring of either format. */
  public static Virtqueue open(Setup setup, GuestMemory memory) {
    return switch (setup.format()) {
      case SPLIT -> new SplitVirtqueue(setup, memory);
      case PACKED -> new PackedVirtqueue(setup, memory);
    };
  }

  /**
   * What the flags of a chain of one buffer are, or -1, which nothing is, where such chains may not
   * be taken without a look at each descriptor.
   */
  static long plainShape(Direction direction, long write) {
    return switch (direction) {
      case READABLE -> 0;
      case WRITABLE -> write;
      case MIXED -> -1;
    };
  }

  /** Entries. */
  public abstract int size();

  /**
   * Where the queue stands, in the form of VHOST_USER_GET_VRING_BASE: a split queue's next
   * available index in 16 bits; of a packed one, in 32 bits, available and used place.
   */
  public abstract int base();

  /** Index of the next entry to take: 16 bits that go round, of a packed queue a slot. */
  public abstract int availableIndex();

  /** Index of the next used entry to write, in the same form. */
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
   * chains.written[i]} bytes written (0 in a queue that is only read); the driver sees them at the
   * next {@link #publish}. They are no longer in front of {@link #peek}, so the caller clears
   * {@code chains} before it peeks again.
   */
  public abstract void complete(Chains chains, int count);

  /** Shows the driver what was completed. It may look at any time, or wait for a call. */
  public abstract void publish();

  /**
   * Whether the driver wants to be called for what was published since this was asked last. Only
   * after a {@link Memory#fullFence} that came after publishing, which may serve many queues: what
   * was published must be visible before the wish is read, else a call is lost (virtio 1.3, 2.7.7.2
   * and 2.8.22).
   */
  public abstract boolean wantsCall();

  /** Publishes, and asks at once. */
  public final boolean publishAndAsk() {
    publish();
    Memory.fullFence();
    return wantsCall();
  }

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
