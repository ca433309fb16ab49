// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import org.vhostnetmap.linux.Memory;

/**
 * One netmap ring, TX or RX, as its user walks it. The geometry is read once and checked against
 * the region, so that no later scribble in the ring's header can move a buffer. One thread at a
 * time; borrows the memory.
 */
public final class NetmapRing {
  /** What a slot's 16-bit length can say. */
  private static final int LONGEST = 65535;

  private final long ring;
  private final int slots;
  private final int stride;
  private final int bufferBytes;
  private final long buffer0;
  private final long buffers;

  private int head;

  /**
   * A ring in mapped memory.
   *
   * @param ring host address of the {@code struct netmap_ring}
   * @param region host address of the whole netmap region
   * @param regionBytes its size
   * @throws IllegalArgumentException when the header describes a ring that does not lie in the
   *     region
   */
  public NetmapRing(long ring, long region, long regionBytes) {
    long end = region + regionBytes;
    if (ring % Long.BYTES != 0
        || ring < region
        || ring > end
        || end - ring < NetmapAbi.RING_BYTES + 2L * NetmapAbi.SLOT_BYTES) {
      throw new IllegalArgumentException("a netmap ring does not lie in its region");
    }
    this.ring = ring;
    long slotCount = Memory.getUnsignedInt(ring + NetmapAbi.RING_NUM_SLOTS);
    if (slotCount < 2
        || slotCount > 1 << 20
        || NetmapAbi.RING_BYTES + NetmapAbi.SLOT_BYTES * slotCount > end - ring) {
      throw new IllegalArgumentException(
          "a netmap ring of " + slotCount + " slots does not fit its region");
    }
    slots = (int) slotCount;
    long bytes = Memory.getUnsignedInt(ring + NetmapAbi.RING_BUF_SIZE);
    long offset = Memory.getLong(ring + NetmapAbi.RING_BUF_OFS);
    // Compared as distances: ring + offset might wrap around.
    if (bytes < 64 || bytes > 1 << 16 || offset < region - ring || offset >= end - ring) {
      throw new IllegalArgumentException(
          "netmap buffers of " + bytes + " bytes do not fit their region");
    }
    stride = (int) bytes;
    bufferBytes = Math.min(stride, LONGEST);
    buffer0 = ring + offset;
    buffers = (end - buffer0) / stride;
    head = (int) (Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD) % slots);
  }

  /** Slots in the ring. */
  public int slots() {
    return slots;
  }

  /** Bytes that fit into a buffer and its slot's length. */
  public int bufferBytes() {
    return bufferBytes;
  }

  /** First slot that belongs to the user. */
  public int head() {
    return head;
  }

  /** First slot that does not; read anew, so ask once per burst. */
  public int tail() {
    return (int) (Memory.getUnsignedIntAcquire(ring + NetmapAbi.RING_TAIL) % slots);
  }

  /** How many slots belong to the user; read anew. */
  public int space() {
    int space = tail() - head;
    return space < 0 ? space + slots : space;
  }

  /** The slot {@code distance} after {@code slot}; distance 0 to the number of slots. */
  public int after(int slot, int distance) {
    int next = slot + distance;
    return next >= slots ? next - slots : next;
  }

  /** Host address of a slot's buffer, or 0 when its buf_idx names none. */
  public long buffer(int slot) {
    long index = Memory.getUnsignedInt(slotAddress(slot) + NetmapAbi.SLOT_BUF_IDX);
    return index >= NetmapAbi.FIRST_BUFFER && index < buffers ? buffer0 + index * stride : 0;
  }

  /** Bytes of the frame in a slot, cut to the buffer's size. */
  public int length(int slot) {
    return Math.min(Memory.getUnsignedShort(slotAddress(slot) + NetmapAbi.SLOT_LEN), bufferBytes);
  }

  /** Flags of a slot. */
  public int flags(int slot) {
    return Memory.getUnsignedShort(slotAddress(slot) + NetmapAbi.SLOT_FLAGS);
  }

  /** Sets length and flags of a slot. */
  public void set(int slot, int length, int flags) {
    Memory.putInt(slotAddress(slot) + NetmapAbi.SLOT_LEN, length | flags << 16);
  }

  /** Gives the slots before {@code newHead} to the kernel, which sees them at the next sync. */
  public void advanceTo(int newHead) {
    head = newHead;
    Memory.putInt(ring + NetmapAbi.RING_CUR, newHead);
    Memory.publishInt(ring + NetmapAbi.RING_HEAD, newHead);
  }

  private long slotAddress(int slot) {
    return ring + NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * slot;
  }
}
