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

  /** Head at the last sync: what lies before it is the kernel's. */
  private int synced;

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
    this(ring, region, regionBytes, LONGEST);
  }

  /**
   * The same where less than {@code nr_buf_size} of each buffer is the user's: {@code buf_ofs} of
   * the emulated netmap points past what XDP keeps ahead of a frame.
   *
   * @param usableBytes bytes of each buffer that are
   */
  public NetmapRing(long ring, long region, long regionBytes, int usableBytes) {
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
    bufferBytes = Math.min(Math.min(stride, LONGEST), usableBytes);
    buffer0 = ring + offset;
    // The last buffer lacks, at the region's end, what its data lies behind its beginning.
    buffers = end - buffer0 < bufferBytes ? 0 : (end - buffer0 - bufferBytes) / stride + 1;
    head = (int) (Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD) % slots);
    synced = head;
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
    return distance(head, tail());
  }

  /** The slot {@code distance} after {@code slot}; distance 0 to the number of slots. */
  public int after(int slot, int distance) {
    int next = slot + distance;
    return next >= slots ? next - slots : next;
  }

  /** Host address of a slot's buffer, or 0 when its buf_idx names none. */
  public long buffer(int slot) {
    // One load of 64 bits and a mask: what a fault leaves in the upper half never gets through.
    long index = Memory.getLong(slotAddress(slot)) & 0xffffffffL;
    return index >= NetmapAbi.FIRST_BUFFER && index < buffers ? buffer0 + index * stride : 0;
  }

  /** Which buffer a slot names: buf_idx as it stands there. */
  public long bufferIndex(int slot) {
    return Memory.getUnsignedInt(slotAddress(slot) + NetmapAbi.SLOT_BUF_IDX);
  }

  /** Lets a slot name another buffer of the same memory, and says so to the kernel. */
  public void setBufferIndex(int slot, long index) {
    long address = slotAddress(slot);
    Memory.putInt(address + NetmapAbi.SLOT_BUF_IDX, (int) index);
    Memory.putShort(address + NetmapAbi.SLOT_FLAGS, flags(slot) | NetmapAbi.NS_BUF_CHANGED);
  }

  /**
   * Whether an index means the same buffer in both rings, so that their slots can {@link #swap}.
   */
  public boolean sharesBuffersWith(NetmapRing other) {
    return buffer0 == other.buffer0 && stride == other.stride;
  }

  /**
   * Exchanges the buffers of two slots that are the user's, of rings in one memory (equal memory
   * id): a frame moves without a copy. Lengths stay; NS_BUF_CHANGED is added to both slots, so
   * {@link #set} comes first.
   */
  public void swap(int slot, NetmapRing other, int otherSlot) {
    long mine = bufferIndex(slot);
    setBufferIndex(slot, other.bufferIndex(otherSlot));
    other.setBufferIndex(otherSlot, mine);
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
    advanceTo(newHead, newHead);
  }

  /**
   * The same with cur ahead of head: the user keeps [head, cur) and is told of news only when tail
   * has passed {@code newCur}.
   */
  public void advanceTo(int newHead, int newCur) {
    head = newHead;
    Memory.putInt(ring + NetmapAbi.RING_CUR, newCur);
    Memory.publishInt(ring + NetmapAbi.RING_HEAD, newHead);
  }

  /**
   * Takes head from the ring again, after somebody else moved it: the kernel, for a bad index
   * ("ring reinit") or when it put forwarded frames into a TX ring (NR_FORWARD).
   */
  public void reload() {
    head = (int) (Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD) % slots);
  }

  /** The ring's number in its port; host rings continue after the NIC's. */
  public int id() {
    return Memory.getUnsignedShort(ring + NetmapAbi.RING_RINGID);
  }

  /** Ring flags, NR_TIMESTAMP and NR_FORWARD of {@link NetmapAbi}. */
  public int ringFlags() {
    return (int) Memory.getUnsignedInt(ring + NetmapAbi.RING_FLAGS);
  }

  /** Sets the ring flags. Memory is recycled dirty, so a user who wants none says so. */
  public void setRingFlags(int flags) {
    Memory.putInt(ring + NetmapAbi.RING_FLAGS, flags);
  }

  /** Host address of the {@code struct netmap_ring}, for who reads the ABI itself. */
  public long address() {
    return ring;
  }

  /**
   * Before a sync of a ring that no other program uses: sees to it that the kernel is told a head
   * it can believe. The kernel finds a head beyond tail too, but neither sends then nor recovers:
   * the right head is refused from then on. A head in the ring that lies between the last sync's
   * and tail counts, whoever moved it (the kernel does, NR_FORWARD); else this ring's own, if that
   * lies there; else that of the last sync, and nothing moves.
   *
   * @return false when this ring's user had advanced to where it may not
   */
  public boolean beforeSync() {
    int tail = tail();
    boolean right = isOurs(head, tail);
    long told = Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD);
    if (isOurs(told, tail)) {
      head = (int) told;
    } else if (!right) {
      head = synced;
    }
    synced = head;
    if (told != head || !isOurs(Memory.getUnsignedInt(ring + NetmapAbi.RING_CUR), tail)) {
      advanceTo(head);
    }
    return right;
  }

  /** Whether a head or cur there would lie from the last sync's head to tail. */
  private boolean isOurs(long slot, int tail) {
    return slot >= 0 && slot < slots && distance(synced, (int) slot) <= distance(synced, tail);
  }

  private int distance(int from, int to) {
    int distance = to - from;
    return distance < 0 ? distance + slots : distance;
  }

  private long slotAddress(int slot) {
    return ring + NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * slot;
  }
}
