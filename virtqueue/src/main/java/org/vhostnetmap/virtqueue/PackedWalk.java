// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.ChainBuilder.DESCRIPTOR_BYTES;
import static org.vhostnetmap.virtqueue.PackedLayout.DESCRIPTOR_ID_SHIFT;
import static org.vhostnetmap.virtqueue.PackedLayout.OWNER;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_INDIRECT;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_NEXT;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_WRITE;
import static org.vhostnetmap.virtqueue.PackedLayout.WORD;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.ChainBuilder.NoRoom;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * Walks one chain of a packed virtqueue, from slot to slot and round the end of the ring, or
 * through an indirect table. It can't loop, and is bounded by the slots that are not held already.
 */
final class PackedWalk {
  private final ChainBuilder builder;

  PackedWalk(GuestMemory memory, Direction direction, boolean indirectNegotiated) {
    builder = new ChainBuilder(memory, direction, indirectNegotiated);
  }

  /**
   * Appends the chain at {@code slot}, whose first descriptor was read already, to {@code chains}.
   * False when the segments that are left don't suffice for it but an empty table would.
   *
   * @param available the bits of {@link PackedLayout#OWNER} that make a descriptor available here
   */
  boolean append(
      Chains chains,
      long ring,
      int size,
      int slot,
      long available,
      long firstAddress,
      long firstWord)
      throws GuestFault {
    builder.begin(chains);
    try {
      if ((firstWord & VIRTQ_DESC_F_INDIRECT) != 0) {
        walkIndirect(chains, firstAddress, firstWord, slot);
      } else {
        walkRing(chains, ring, size, slot, available, firstAddress, firstWord);
      }
      return true;
    } catch (NoRoom noRoom) {
      return ChainBuilder.tooLate(chains, slot);
    }
  }

  /** The region that held the last buffer, a hint for the next one; null before the first. */
  GuestMemory.@Nullable Region lastRegion() {
    return builder.lastRegion();
  }

  private void walkRing(
      Chains chains,
      long ring,
      int size,
      int head,
      long available,
      long firstAddress,
      long firstWord)
      throws GuestFault, NoRoom {
    long address = firstAddress;
    long word = firstWord;
    long owner = available;
    int slot = head;
    int slots = 1;
    for (int budget = size - chains.slotsHeld; slots <= budget; slots++) {
      // virtio 1.3, 2.8.6: the flags AVAIL and USED are right in all descriptors of a list, and its
      // first is made available last. So one that is not right will not become so.
      if ((word & OWNER) != owner) {
        throw new GuestFault(Reason.CHAIN_CUT, "at " + slot);
      }
      // 2.8.5: a list has descriptors of one kind only.
      if ((word & VIRTQ_DESC_F_INDIRECT) != 0) {
        throw new GuestFault(Reason.INDIRECT, "at " + slot);
      }
      boolean writable = (word & VIRTQ_DESC_F_WRITE) != 0;
      builder.buffer(chains, address, word & 0xffffffffL, writable, slot);
      if ((word & VIRTQ_DESC_F_NEXT) == 0) {
        builder.end(chains, id(word), slots);
        return;
      }
      if (++slot == size) {
        slot = 0;
        owner ^= OWNER;
      }
      long descriptor = ring + (long) DESCRIPTOR_BYTES * slot;
      address = Memory.getLong(descriptor);
      word = Memory.getLong(descriptor + WORD);
    }
    throw new GuestFault(Reason.DESCRIPTOR_LOOP, "at " + head);
  }

  /**
   * 2.8.7: the table's descriptors follow one another, all of them count, and of their flags only
   * WRITE means anything. The buffer id is that of the descriptor in the ring.
   */
  private void walkIndirect(Chains chains, long table, long word, int slot)
      throws GuestFault, NoRoom {
    if ((word & VIRTQ_DESC_F_NEXT) != 0) {
      throw new GuestFault(Reason.INDIRECT, "at " + slot);
    }
    int entries = builder.beginTable(table, word & 0xffffffffL, slot);
    for (int i = 0; i < entries; i++) {
      long address = builder.tableAddress(i);
      long entry = builder.tableWord(i);
      boolean writable = (entry & VIRTQ_DESC_F_WRITE) != 0;
      builder.buffer(chains, address, entry & 0xffffffffL, writable, i);
    }
    builder.end(chains, id(word), 1);
  }

  static int id(long word) {
    return (int) (word >>> DESCRIPTOR_ID_SHIFT) & 0xffff;
  }
}
