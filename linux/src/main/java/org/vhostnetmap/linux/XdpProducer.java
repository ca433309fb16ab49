// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/**
 * A ring of an {@link XdpSocket} that we write: the fill ring (addresses of chunks that the kernel
 * may receive into) or the transmit ring (frames). Write entries 0, 1, ... then {@link #publish}
 * them. One thread at a time; nothing here allocates, throws or makes a system call.
 */
public final class XdpProducer {
  static final int NEED_WAKEUP = 1;

  private final long producer;
  private final long consumer;
  private final long flags;
  private final long entries;
  private final int entryShift;
  private final int size;
  private final int mask;

  private int next;
  private int taken;

  XdpProducer(long producer, long consumer, long flags, long entries, int size, int entryShift) {
    this.producer = producer;
    this.consumer = consumer;
    this.flags = flags;
    this.entries = entries;
    this.size = size;
    this.entryShift = entryShift;
    mask = size - 1;
  }

  /** Entries of the ring. */
  public int size() {
    return size;
  }

  /** How many entries can be written now, {@code wanted} at most. */
  public int free(int wanted) {
    int free = size - (next - taken);
    if (free < wanted) {
      taken = (int) Memory.getUnsignedIntAcquire(consumer);
      free = size - (next - taken);
    }
    return Math.min(free, wanted);
  }

  /** What the kernel has been given and has not taken yet. */
  public int pending() {
    taken = (int) Memory.getUnsignedIntAcquire(consumer);
    return next - taken;
  }

  /** Writes entry {@code i} of those not yet published: where in the UMEM a chunk begins. */
  public void putAddress(int i, long address) {
    Memory.putLong(entry(i), address);
  }

  /** Writes entry {@code i} of those not yet published: a frame in the UMEM. */
  public void putFrame(int i, long address, int length) {
    long entry = entry(i);
    Memory.putLong(entry, address);
    Memory.putLong(entry + Long.BYTES, length);
  }

  private long entry(int i) {
    return entries + ((long) (next + i & mask) << entryShift);
  }

  /** Gives the first {@code count} entries written to the kernel, with the chunks they name. */
  public void publish(int count) {
    next += count;
    Memory.publishInt(producer, next);
  }

  /**
   * Whether the kernel looks at the ring only when it is woken; asked after {@link #publish}.
   *
   * @see XdpSocket#wakeTransmit()
   */
  public boolean needsWakeup() {
    Memory.fullFence();
    return (Memory.getUnsignedInt(flags) & NEED_WAKEUP) != 0;
  }
}
