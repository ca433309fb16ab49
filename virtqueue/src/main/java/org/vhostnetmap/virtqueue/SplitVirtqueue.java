// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.ChainBuilder.DESCRIPTOR_BYTES;
import static org.vhostnetmap.virtqueue.SplitLayout.FLAGS;
import static org.vhostnetmap.virtqueue.SplitLayout.INDEX;
import static org.vhostnetmap.virtqueue.SplitLayout.RING;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_INDIRECT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_NEXT;
import static org.vhostnetmap.virtqueue.SplitLayout.VIRTQ_DESC_F_WRITE;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/** The device's side of one split virtqueue (virtio 1.3, 2.7). */
public final class SplitVirtqueue extends Virtqueue {
  /**
   * avail_event this far ahead of our index keeps the driver from kicking: it may be up to 0x8000
   * entries (the largest ring) ahead of us, and the event must not lie just behind it either.
   */
  private static final int PARKED = 0xc000;

  /** When less than this is left of {@link #PARKED}, it is parked anew. */
  private static final int PARK_AGAIN = 0x8000;

  /** Flags that make a chain of more than one plain buffer, or turn its direction. */
  private static final long SHAPE = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE;

  private final int size;
  private final int mask;
  private final long descriptorTable;
  private final long availableRing;
  private final long usedRing;
  private final SplitWalk walk;
  private final boolean eventIndex;
  private final boolean oneElementForAll;
  private final long plainShape; // what SHAPE of a chain of one buffer is

  private int availableIndex; // last seen, 16 bits
  private int lastAvailable; // next to consume, 16 bits
  private int usedIndex; // next to write, 16 bits
  private int publishedIndex; // what the driver can see
  private int unasked; // entries published since wantsCall; more than a ringful are size + 1
  private boolean callUnconditionally = true; // we can't know what the driver waited for before us
  private boolean kicksWanted = true;
  private int parkedEvent;

  // The region that held the last buffer: nearly always the next one's too.
  private long cachedGuest;
  private long cachedSize;
  private long cachedHost;

  /** Takes over a ring; reads the used index from the ring itself. */
  public SplitVirtqueue(Setup setup, GuestMemory memory) {
    setup.require(RingFormat.SPLIT);
    size = setup.size();
    mask = size - 1;
    descriptorTable = setup.descriptorArea();
    availableRing = setup.driverArea();
    usedRing = setup.deviceArea();
    eventIndex = setup.eventIndex();
    oneElementForAll = setup.inOrder() && setup.direction() == Direction.READABLE;
    walk = new SplitWalk(memory, setup.direction(), setup.indirect());
    plainShape = plainShape(setup.direction(), VIRTQ_DESC_F_WRITE);
    lastAvailable = setup.base() & 0xffff;
    availableIndex = lastAvailable;
    usedIndex = Memory.getUnsignedShortAcquire(usedRing + INDEX);
    publishedIndex = usedIndex;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public int base() {
    return lastAvailable;
  }

  @Override
  public int availableIndex() {
    return lastAvailable;
  }

  @Override
  public int usedIndex() {
    return usedIndex;
  }

  @Override
  public int peek(Chains chains, int max) throws GuestFault {
    int held = chains.count;
    int wanted = Math.min(max, Chains.CHAINS - held);
    int next = lastAvailable + held;
    if (((availableIndex - next) & 0xffff) < wanted) {
      refreshAvailableIndex();
    }
    int count = Math.min(wanted, (availableIndex - next) & 0xffff);
    for (int i = 0; i < count; i++) {
      int head = Memory.getUnsignedShort(availableRing + RING + 2L * ((next + i) & mask));
      if (!append(chains, head)) {
        return i;
      }
    }
    return count;
  }

  /**
   * Takes over the driver's index when it went forward, and no further than the ring is long. What
   * was seen before stays available whatever the index says now, so a bad one waits until that is
   * consumed.
   */
  private void refreshAvailableIndex() throws GuestFault {
    int index = Memory.getUnsignedShortAcquire(availableRing + INDEX);
    int ahead = (index - lastAvailable) & 0xffff;
    int known = (availableIndex - lastAvailable) & 0xffff;
    if (ahead >= known && ahead <= size) {
      availableIndex = index;
    } else if (known == 0) {
      throw new GuestFault(
          Reason.AVAILABLE_INDEX,
          "(" + index + ", ours is " + lastAvailable + ", size " + size + ")");
    }
  }

  private boolean append(Chains chains, int head) throws GuestFault {
    if (head >= size) {
      return refuse(chains, new GuestFault(Reason.HEAD_INDEX, Integer.toString(head)));
    }
    int chain = chains.count;
    // Masked although checked: a load from a page that vanished leaves garbage in all 64 bits of a
    // register which C2 takes for 16 bits, and then check and address may see different bits of it.
    long descriptor = descriptorTable + (long) DESCRIPTOR_BYTES * (head & mask);
    long address = Memory.getLong(descriptor);
    long word = Memory.getLong(descriptor + 8);
    long length = word & 0xffffffffL;
    long offset = address - cachedGuest;
    int segment = chains.firstSegment[chain];
    if ((word & SHAPE) == plainShape
        && GuestMemory.holdsBuffer(cachedSize, offset, length)
        && segment < Chains.SEGMENTS) {
      chains.segmentAddress[segment] = cachedHost + offset;
      chains.segmentLength[segment] = (int) length;
      chains.head[chain] = head;
      chains.length[chain] = length;
      chains.firstSegment[chain + 1] = segment + 1;
      chains.slots[chain] = 1;
      chains.entered(1);
      return true;
    }
    return appendSlowly(chains, head, address, word);
  }

  /**
   * A chain of several descriptors, in another region, or a bad one. The first descriptor comes as
   * it was read: a second read might see another.
   */
  private boolean appendSlowly(Chains chains, int head, long address, long word) throws GuestFault {
    try {
      boolean fits = walk.append(chains, descriptorTable, size, head, address, word);
      cache(walk.lastRegion());
      return fits;
    } catch (GuestFault fault) {
      return refuse(chains, fault);
    }
  }

  /** A fault waits until the good chains before it are consumed. */
  private boolean refuse(Chains chains, GuestFault fault) throws GuestFault {
    if (chains.count > 0) {
      return false;
    }
    throw fault;
  }

  private void cache(GuestMemory.@Nullable Region region) {
    if (region != null) {
      cachedGuest = region.guestAddress();
      cachedSize = region.size();
      cachedHost = region.hostAddress();
    }
  }

  @Override
  public void complete(Chains chains, int count) {
    int index = usedIndex;
    if (oneElementForAll && count > 0) {
      // virtio 1.3, 2.7.9: the first element with the id of the last stands for all.
      putElement(publishedIndex, chains.head[count - 1], 0);
    } else {
      for (int i = 0; i < count; i++) {
        putElement(index + i, chains.head[i], chains.written[i]);
      }
    }
    usedIndex = (index + count) & 0xffff;
    lastAvailable = (lastAvailable + count) & 0xffff;
  }

  /** virtio 1.3, 2.7.8: { le32 id, le32 len }, four-aligned, so an unaligned plain long. */
  private void putElement(int index, int head, int written) {
    Memory.putLong(usedRing + RING + 8L * (index & mask), (long) written << 32 | head);
  }

  @Override
  public void publish() {
    if (usedIndex == publishedIndex) {
      return;
    }
    if (eventIndex && !kicksWanted) {
      parkAgainIfNear(); // before the driver may go on
    }
    Memory.publishShort(usedRing + INDEX, usedIndex);
    unasked = Math.min(unasked + ((usedIndex - publishedIndex) & 0xffff), size + 1);
    publishedIndex = usedIndex;
  }

  @Override
  public boolean wantsCall() {
    int count = unasked;
    if (count == 0) {
      return false;
    }
    boolean wanted;
    if (eventIndex) {
      int event = Memory.getUnsignedShort(availableRing + SplitLayout.usedEvent(size));
      wanted =
          callUnconditionally || count > size || ((publishedIndex - event - 1) & 0xffff) < count;
    } else {
      int flags = Memory.getUnsignedShort(availableRing + FLAGS);
      wanted = (flags & SplitLayout.VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
    }
    callUnconditionally = false;
    unasked = 0;
    return wanted;
  }

  @Override
  public boolean wantKicks() throws GuestFault {
    kicksWanted = true;
    if (eventIndex) {
      Memory.putShort(usedRing + SplitLayout.availableEvent(size), lastAvailable);
    } else {
      Memory.putShort(usedRing + FLAGS, 0);
    }
    // virtio 1.3, 2.7.10: our wish must be visible before the last look, else a kick is lost.
    Memory.fullFence();
    refreshAvailableIndex();
    return availableIndex != lastAvailable;
  }

  @Override
  public void refuseKicks() {
    kicksWanted = false;
    if (eventIndex) {
      park();
    } else {
      Memory.putShort(usedRing + FLAGS, SplitLayout.VIRTQ_USED_F_NO_NOTIFY);
    }
  }

  private void parkAgainIfNear() {
    if (((parkedEvent - lastAvailable) & 0xffff) < PARK_AGAIN) {
      park();
    }
  }

  private void park() {
    parkedEvent = (lastAvailable + PARKED) & 0xffff;
    Memory.putShort(usedRing + SplitLayout.availableEvent(size), parkedEvent);
  }

  @Override
  public boolean hasAvailable() throws GuestFault {
    if (availableIndex == lastAvailable) {
      refreshAvailableIndex();
    }
    return availableIndex != lastAvailable;
  }
}
