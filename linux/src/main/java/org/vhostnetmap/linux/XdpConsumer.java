// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/**
 * A ring of an {@link XdpSocket} that the kernel writes: the receive ring (frames) or the
 * completion ring (addresses of frames that were sent). Read entries 0, 1, ... then {@link
 * #release} them. One thread at a time; nothing here allocates, throws or makes a system call.
 */
public final class XdpConsumer {
  private final long producer;
  private final long consumer;
  private final long entries;
  private final int entryShift;
  private final int mask;

  private int next;

  XdpConsumer(long producer, long consumer, long entries, int size, int entryShift) {
    this.producer = producer;
    this.consumer = consumer;
    this.entries = entries;
    this.entryShift = entryShift;
    mask = size - 1;
  }

  /** How many entries there are to read; read anew. */
  public int available() {
    return (int) Memory.getUnsignedIntAcquire(producer) - next;
  }

  /** Where in the UMEM the frame of entry {@code i} begins. */
  public long address(int i) {
    return Memory.getLong(entry(i));
  }

  /** Bytes of the frame of entry {@code i}; receive ring only. */
  public int length(int i) {
    return (int) Memory.getLong(entry(i) + Long.BYTES);
  }

  private long entry(int i) {
    return entries + ((long) (next + i & mask) << entryShift);
  }

  /** Gives the first {@code count} entries back to the kernel. The chunks they named are ours. */
  public void release(int count) {
    next += count;
    Memory.publishInt(consumer, next);
  }
}
