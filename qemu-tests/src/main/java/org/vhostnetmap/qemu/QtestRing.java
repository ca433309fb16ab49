// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One split ring in guest memory, as the driver sees it (virtio 1.3, 2.7), written field by field:
 * nothing is checked, since the test may want it wrong.
 *
 * <pre>
 *   base            descriptors   16 bytes each
 *   then            available     flags, index, entries, used_event
 *   then, aligned   used          flags, index, elements, avail_event
 * </pre>
 *
 * <p>{@link #add} is what a driver that keeps the rules does.
 */
public final class QtestRing {
  /** The chain goes on at {@code next}. */
  public static final int NEXT = 1;

  /** The device writes to the buffer. */
  public static final int WRITE = 2;

  /** The buffer is a table of descriptors. */
  public static final int INDIRECT = 4;

  private static final int DESCRIPTOR_BYTES = 16;

  private final Qtest qtest;
  private final int size;
  private final long base;
  private int availableIndex;

  /** Lays the ring out at {@code base} (16-aligned) and clears it. */
  public QtestRing(Qtest qtest, int size, long base) throws IOException {
    this.qtest = qtest;
    this.size = size;
    this.base = base;
    clear();
  }

  /** Zeroes everywhere, as before the first use. */
  public void clear() throws IOException {
    qtest.memset(base, bytes(), 0);
    availableIndex = 0;
  }

  /** Entries. */
  public int size() {
    return size;
  }

  /** Guest address of the descriptor table. */
  public long descriptors() {
    return base;
  }

  /** Guest address of the available ring. */
  public long available() {
    return base + (long) DESCRIPTOR_BYTES * size;
  }

  /** Guest address of the used ring. */
  public long used() {
    return (available() + 6 + 2L * size + 3) & ~3L;
  }

  /** Bytes from the base to the end of the used ring. */
  public long bytes() {
    return used() + 6 + 8L * size - base;
  }

  /** A descriptor's 16 bytes, also for indirect tables. */
  public static byte[] descriptor(long address, int length, int flags, int next) {
    return ByteBuffer.allocate(DESCRIPTOR_BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(address)
        .putInt(length)
        .putShort((short) flags)
        .putShort((short) next)
        .array();
  }

  /** Writes descriptor {@code index}. */
  public void descriptor(int index, long address, int length, int flags, int next)
      throws IOException {
    qtest.write(base + (long) DESCRIPTOR_BYTES * index, descriptor(address, length, flags, next));
  }

  /** Makes the chain at {@code head} available; the device sees it at once. */
  public void add(int head) throws IOException {
    qtest.writew(available() + 4 + 2L * (availableIndex & (size - 1)), head);
    availableIndex(availableIndex + 1);
  }

  /** Sets the available index, wherever that is. */
  public void availableIndex(int index) throws IOException {
    availableIndex = index & 0xffff;
    qtest.writew(available() + 2, index);
  }

  /** The available index as last written. */
  public int availableIndex() {
    return availableIndex;
  }

  /** Sets the word in which the driver says at which used entry it wants to be called. */
  public void usedEvent(int index) throws IOException {
    qtest.writew(available() + 4 + 2L * size, index);
  }

  /** The device's index: entries used so far, 16 bits. */
  public int usedIndex() throws IOException {
    return qtest.readw(used() + 2);
  }

  /** Bytes written, of used element number {@code index} (any 16-bit number). */
  public int usedLength(int index) throws IOException {
    return qtest.readl(used() + 8 + 8L * (index & (size - 1)));
  }

  /** Head given back in used element number {@code index}. */
  public int usedHead(int index) throws IOException {
    return qtest.readl(used() + 4 + 8L * (index & (size - 1)));
  }
}
