// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * One netmap ring with its buffers in private memory, where this process plays the kernel: it gives
 * out slots by moving tail. Same layout as the kernel's, so the same {@link NetmapRing} walks it.
 * Owns the mapping.
 */
public final class RingMemory implements AutoCloseable {
  private final Mapping mapping;
  private final int slots;

  /**
   * Lays out a ring whose every slot has a buffer of its own, filled with zeroes.
   *
   * @param slots number of slots, 2 or more
   * @param bufferBytes bytes per buffer, such as {@link NetmapAbi#DEFAULT_BUFFER_BYTES}
   * @throws ErrnoException when there is no memory
   */
  public RingMemory(int slots, int bufferBytes) throws ErrnoException {
    if (slots < 2 || bufferBytes < 1) {
      throw new IllegalArgumentException(slots + " slots of " + bufferBytes + " bytes");
    }
    this.slots = slots;
    long ringBytes = roundUp(NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * slots, 4096);
    long buffers = (long) slots + NetmapAbi.FIRST_BUFFER;
    mapping = Mapping.anonymous(ringBytes + buffers * bufferBytes);
    long ring = mapping.address();
    Memory.putLong(ring + NetmapAbi.RING_BUF_OFS, ringBytes);
    Memory.putInt(ring + NetmapAbi.RING_NUM_SLOTS, slots);
    Memory.putInt(ring + NetmapAbi.RING_BUF_SIZE, bufferBytes);
    for (int slot = 0; slot < slots; slot++) {
      long address = ring + NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * slot;
      Memory.putInt(address + NetmapAbi.SLOT_BUF_IDX, slot + NetmapAbi.FIRST_BUFFER);
    }
    giveAll();
  }

  private static long roundUp(long value, long multiple) {
    return (value + multiple - 1) / multiple * multiple;
  }

  /** A user's view of the ring. */
  public NetmapRing ring() {
    return new NetmapRing(mapping.address(), mapping.address(), mapping.length());
  }

  /** As the kernel: takes all slots up to head and gives every slot but one to the user again. */
  public void giveAll() {
    long head = Memory.getUnsignedInt(mapping.address() + NetmapAbi.RING_HEAD) % slots;
    give((int) head, slots - 1);
  }

  /**
   * As the kernel: the user now has {@code count} slots from {@code head} on; {@code count} is
   * below the slots.
   */
  public void give(int head, int count) {
    Memory.publishInt(mapping.address() + NetmapAbi.RING_TAIL, (head + count) % slots);
  }

  /** Unmaps; no view may be used any more. */
  @Override
  public void close() {
    mapping.close();
  }
}
