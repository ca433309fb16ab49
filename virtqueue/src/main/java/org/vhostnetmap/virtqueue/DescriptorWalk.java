// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.SplitLayout.DESCRIPTOR_BYTES;
import static org.vhostnetmap.virtqueue.SplitLayout.DESCRIPTOR_NEXT_SHIFT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_INDIRECT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_NEXT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_WRITE;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * Walks one descriptor chain, indirect tables included, into segments: the trust boundary for
 * everything but the simplest chain. Bounded by the size of the table it walks, whatever the guest
 * writes meanwhile.
 */
final class DescriptorWalk {
  private static final long LARGEST_BUFFER = 1L << 30;

  private final GuestMemory memory;
  private final Direction direction;
  private final boolean indirectNegotiated;

  // State of the walk under way.
  private int segment;
  private int chainStart;
  private int empty;
  private int firstWritable;
  private long total;
  private GuestMemory.@Nullable Region region; // that held the last buffer

  DescriptorWalk(GuestMemory memory, Direction direction, boolean indirectNegotiated) {
    this.memory = memory;
    this.direction = direction;
    this.indirectNegotiated = indirectNegotiated;
  }

  /**
   * Appends the chain at {@code head}, whose first descriptor was read already, to {@code chains}.
   * False when the segments that are left don't suffice for it but an empty table would.
   */
  boolean append(
      Chains chains, long descriptorTable, int size, int head, long firstAddress, long firstWord)
      throws GuestFault {
    chainStart = chains.firstSegment[chains.count];
    segment = chainStart;
    empty = chains.empty;
    firstWritable = -1;
    total = 0;
    try {
      walkTable(chains, descriptorTable, size, head, firstAddress, firstWord);
    } catch (NoRoom noRoom) {
      if (chains.count == 0) {
        throw new GuestFault(Reason.CHAIN_SIZE, "at " + head);
      }
      return false;
    }
    chains.empty = empty;
    int chain = chains.count++;
    chains.head[chain] = head;
    chains.length[chain] = total;
    chains.firstWritable[chain] = firstWritable < 0 ? segment : firstWritable;
    chains.firstSegment[chain + 1] = segment;
    return true;
  }

  /** The region that held the last buffer, a hint for the next one; null before the first. */
  GuestMemory.@Nullable Region lastRegion() {
    return region;
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
        if (!indirectNegotiated || (word & VIRTQ_DESC_F_NEXT) != 0) {
          throw new GuestFault(Reason.INDIRECT, "at " + index);
        }
        walkIndirect(chains, address, word & 0xffffffffL);
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

  /**
   * An indirect table may cross regions, though none of a real driver does; then each half of a
   * descriptor is translated by itself.
   */
  private void walkIndirect(Chains chains, long table, long bytes) throws GuestFault, NoRoom {
    int size = (int) (bytes / DESCRIPTOR_BYTES);
    if (size == 0 || size > SplitLayout.MAXIMUM_SIZE || bytes % DESCRIPTOR_BYTES != 0) {
      throw new GuestFault(Reason.INDIRECT, "of " + bytes + " bytes");
    }
    if (wraps(table, bytes)) {
      throw outside(table);
    }
    long whole = memory.translate(table, bytes);
    int index = 0;
    for (int budget = size; budget > 0; budget--) {
      long offset = (long) DESCRIPTOR_BYTES * index;
      long descriptor = whole == 0 ? half(table + offset) : whole + offset;
      long address = Memory.getLong(descriptor);
      long word = Memory.getLong(whole == 0 ? half(table + offset + 8) : descriptor + 8);
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

  private long half(long guestAddress) throws GuestFault {
    long host = memory.translate(guestAddress, 8);
    if (host == 0) {
      throw outside(guestAddress);
    }
    return host;
  }

  private static boolean wraps(long address, long length) {
    return Long.compareUnsigned(address + (length - 1), address) < 0;
  }

  private static GuestFault outside(long guestAddress) {
    return new GuestFault(Reason.ADDRESS, "at 0x" + Long.toHexString(guestAddress));
  }

  private static int next(long word, int size) throws GuestFault {
    int next = (int) (word >>> DESCRIPTOR_NEXT_SHIFT);
    if (next >= size) {
      throw new GuestFault(Reason.NEXT_INDEX, Integer.toString(next));
    }
    return next;
  }

  private void buffer(Chains chains, long address, long word, int index) throws GuestFault, NoRoom {
    boolean writable = (word & VIRTQ_DESC_F_WRITE) != 0;
    checkDirection(writable, index);
    if (writable && firstWritable < 0) {
      firstWritable = segment;
    }
    long length = word & 0xffffffffL;
    if (length > LARGEST_BUFFER) {
      throw new GuestFault(Reason.CHAIN_SIZE, "(a buffer of " + length + " bytes)");
    }
    if (length == 0) {
      if (++empty > Chains.SEGMENTS) {
        throw NoRoom.INSTANCE;
      }
      return;
    }
    if (wraps(address, length)) {
      throw outside(address);
    }
    total += length;
    while (length > 0) {
      GuestMemory.Region holder = memory.find(address);
      if (holder == null) {
        throw outside(address);
      }
      if (segment == Chains.SEGMENTS) {
        throw NoRoom.INSTANCE;
      }
      region = holder;
      long offset = address - holder.guestAddress();
      int part = (int) Math.min(length, holder.size() - offset);
      chains.segmentAddress[segment] = holder.hostAddress() + offset;
      chains.segmentLength[segment] = part;
      segment++;
      address += part;
      length -= part;
    }
  }

  private void checkDirection(boolean writable, int index) throws GuestFault {
    boolean right =
        switch (direction) {
          case READABLE -> !writable;
          case WRITABLE -> writable;
          case MIXED -> writable || firstWritable < 0;
        };
    if (!right) {
      throw new GuestFault(Reason.DIRECTION, "at " + index);
    }
  }

  /** The table of segments is full: a way out of the walk, not an error. */
  private static final class NoRoom extends Exception {
    private static final long serialVersionUID = 1L;

    // Stackless and without a cause, so one for all is as good as a new one.
    @SuppressWarnings("StaticAssignmentOfThrowable")
    static final NoRoom INSTANCE = new NoRoom();

    private NoRoom() {
      super("no room", null, false, false);
    }
  }
}
