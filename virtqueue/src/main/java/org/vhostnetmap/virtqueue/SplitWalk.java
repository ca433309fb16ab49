// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.ChainBuilder.DESCRIPTOR_BYTES;
import static org.vhostnetmap.virtqueue.SplitLayout.DESCRIPTOR_NEXT_SHIFT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_INDIRECT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_NEXT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_WRITE;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.ChainBuilder.NoRoom;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * Walks one chain of a split virtqueue, by {@code next} from descriptor to descriptor, indirect
 * tables included. Bounded by the size of the table it walks, whatever the guest writes meanwhile.
 */
final class SplitWalk {
  private final ChainBuilder builder;

  SplitWalk(GuestMemory memory, Direction direction, boolean indirectNegotiated) {
    builder = new ChainBuilder(memory, direction, indirectNegotiated);
  }

  /**
   * Appends the chain at {@code head}, whose first descriptor was read already, to {@code chains}.
   * False when the segments that are left don't suffice for it but an empty table would.
   */
  boolean append(
      Chains chains, long descriptorTable, int size, int head, long firstAddress, long firstWord)
      throws GuestFault {
    builder.begin(chains);
    try {
      walkTable(chains, descriptorTable, size, head, firstAddress, firstWord);
    } catch (NoRoom noRoom) {
      return ChainBuilder.tooLate(chains, head);
    }
    builder.end(chains, head, 1);
    return true;
  }

  /** The region that held the last buffer, a hint for the next one; null before the first. */
  GuestMemory.@Nullable Region lastRegion() {
    return builder.lastRegion();
  }

  private void walkTable(
      Chains chains, long table, int size, int head, long firstAddress, long firstWord)
      throws GuestFault, NoRoom {
    long address = firstAddress;
    long word = firstWord;
    int index = head;
    for (int budget = size; budget > 0; budget--) {
      if ((word & VIRTQ_DESC_F_INDIRECT) != 0) {
        // virtio 1.3, 2.7.5.3.1: never both INDIRECT and NEXT. (INDIRECT at the end of a chain is
        // allowed, 2.7.5.3.2.)
        if ((word & VIRTQ_DESC_F_NEXT) != 0) {
          throw new GuestFault(Reason.INDIRECT, "at " + index);
        }
        walkIndirect(chains, address, word & 0xffffffffL, index);
        return;
      }
      buffer(chains, address, word, index);
      if ((word & VIRTQ_DESC_F_NEXT) == 0) {
        return;
      }
      index = next(word, size);
      long descriptor = table + (long) DESCRIPTOR_BYTES * index;
      address = Memory.getLong(descriptor);
      word = Memory.getLong(descriptor + 8);
    }
    throw new GuestFault(Reason.DESCRIPTOR_LOOP, "at " + head);
  }

  private void walkIndirect(Chains chains, long table, long bytes, int descriptor)
      throws GuestFault, NoRoom {
    int size = builder.beginTable(table, bytes, descriptor);
    int index = 0;
    for (int budget = size; budget > 0; budget--) {
      long address = builder.tableAddress(index);
      long word = builder.tableWord(index);
      if ((word & VIRTQ_DESC_F_INDIRECT) != 0) {
        throw new GuestFault(Reason.INDIRECT, "inside an indirect table");
      }
      buffer(chains, address, word, index);
      if ((word & VIRTQ_DESC_F_NEXT) == 0) {
        return;
      }
      index = next(word, size);
    }
    throw new GuestFault(Reason.DESCRIPTOR_LOOP, "in an indirect table");
  }

  private void buffer(Chains chains, long address, long word, int index) throws GuestFault, NoRoom {
    builder.buffer(chains, address, word & 0xffffffffL, (word & VIRTQ_DESC_F_WRITE) != 0, index);
  }

  private static int next(long word, int size) throws GuestFault {
    int next = (int) (word >>> DESCRIPTOR_NEXT_SHIFT);
    if (next >= size) {
      throw new GuestFault(Reason.NEXT_INDEX, Integer.toString(next));
    }
    return next;
  }
}
