// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * Turns the descriptors of one chain into segments, whatever format of ring they were found in: the
 * trust boundary for everything but the simplest chain. Which descriptor comes next is its caller's
 * knowledge, and so is the end.
 */
final class ChainBuilder {
  /** Bytes of one descriptor, in a ring or in an indirect table, of either format. */
  static final int DESCRIPTOR_BYTES = 16;

  static final long LARGEST_BUFFER = 1L << 30;
  private static final int LONGEST_TABLE = 32768;

  private final GuestMemory memory;
  private final Direction direction;
  private final boolean indirectNegotiated;

  // State of the chain under way.
  private int segment;
  private int empty;
  private int firstWritable;
  private long total;
  private GuestMemory.@Nullable Region region; // that held the last buffer

  // The indirect table under way.
  private long tableGuest;
  private long tableHost; // 0 when it crosses regions

  ChainBuilder(GuestMemory memory, Direction direction, boolean indirectNegotiated) {
    this.memory = memory;
    this.direction = direction;
    this.indirectNegotiated = indirectNegotiated;
  }

  /** A new chain begins behind those in {@code chains}. */
  void begin(Chains chains) {
    segment = chains.firstSegment[chains.count];
    empty = chains.empty;
    firstWritable = -1;
    total = 0;
  }

  /** The chain is whole: from now on {@code chains} has it. */
  void end(Chains chains, int head, int slots) {
    chains.empty = empty;
    int chain = chains.count++;
    if (chains.plain == chain && segment == chains.firstSegment[chain] + 1) {
      chains.plain++; // in another region than the one before
    }
    chains.head[chain] = head;
    chains.length[chain] = total;
    chains.firstWritable[chain] = firstWritable < 0 ? segment : firstWritable;
    chains.firstSegment[chain + 1] = segment;
    chains.slots[chain] = slots;
    chains.slotsHeld += slots;
  }

  /** The region that held the last buffer, a hint for the next one; null before the first. */
  GuestMemory.@Nullable Region lastRegion() {
    return region;
  }

  /** Appends one buffer; {@code index} is of its descriptor, for the message of a fault. */
  void buffer(Chains chains, long address, long length, boolean writable, int index)
      throws GuestFault, NoRoom {
    checkDirection(writable, index);
    if (writable && firstWritable < 0) {
      firstWritable = segment;
    }
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
    appendSegments(chains, address, length);
  }

  private void appendSegments(Chains chains, long guestAddress, long bytes)
      throws GuestFault, NoRoom {
    long address = guestAddress;
    long length = bytes;
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

  /**
   * The descriptor at {@code index} names an indirect table of so many bytes. Answers its entries,
   * 1 to 32768, which are read with {@link #tableAddress} and {@link #tableWord}.
   */
  int beginTable(long table, long bytes, int index) throws GuestFault {
    if (!indirectNegotiated) {
      throw new GuestFault(Reason.INDIRECT, "at " + index);
    }
    int entries = (int) (bytes / DESCRIPTOR_BYTES);
    if (entries == 0 || entries > LONGEST_TABLE || bytes % DESCRIPTOR_BYTES != 0) {
      throw new GuestFault(Reason.INDIRECT, "of " + bytes + " bytes");
    }
    if (wraps(table, bytes)) {
      throw outside(table);
    }
    tableGuest = table;
    tableHost = memory.translate(table, bytes);
    return entries;
  }

  /** The first half of an entry of the table, which the caller knows to be inside: its address. */
  long tableAddress(int entry) throws GuestFault {
    return Memory.getLong(half((long) DESCRIPTOR_BYTES * entry));
  }

  /** The second half: length and whatever the format has in the rest. */
  long tableWord(int entry) throws GuestFault {
    return Memory.getLong(half((long) DESCRIPTOR_BYTES * entry + 8));
  }

  /**
   * An indirect table may cross regions, though none of a real driver does; then each half of a
   * descriptor is translated by itself.
   */
  private long half(long offset) throws GuestFault {
    if (tableHost != 0) {
      return tableHost + offset;
    }
    long host = memory.translate(tableGuest + offset, 8);
    if (host == 0) {
      throw outside(tableGuest + offset);
    }
    return host;
  }

  private static boolean wraps(long address, long length) {
    return Long.compareUnsigned(address + (length - 1), address) < 0;
  }

  private static GuestFault outside(long guestAddress) {
    return new GuestFault(Reason.ADDRESS, "at 0x" + Long.toHexString(guestAddress));
  }

  /**
   * The table of segments is full: not an error, unless the chain is too large for an empty one.
   */
  static boolean tooLate(Chains chains, int head) throws GuestFault {
    if (chains.count == 0) {
      throw new GuestFault(Reason.CHAIN_SIZE, "at " + head);
    }
    return false;
  }

  /** The table of segments is full: a way out of the walk, not an error. */
  static final class NoRoom extends Exception {
    private static final long serialVersionUID = 1L;

    // Stackless and without a cause, so one for all is as good as a new one.
    @SuppressWarnings("StaticAssignmentOfThrowable")
    static final NoRoom INSTANCE = new NoRoom();

    private NoRoom() {
      super("no room", null, false, false);
    }
  }
}
