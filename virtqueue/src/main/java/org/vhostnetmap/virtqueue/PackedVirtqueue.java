// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.ChainBuilder.DESCRIPTOR_BYTES;
import static org.vhostnetmap.virtqueue.PackedLayout.DESCRIPTOR_ID_SHIFT;
import static org.vhostnetmap.virtqueue.PackedLayout.EVENT_FLAGS_SHIFT;
import static org.vhostnetmap.virtqueue.PackedLayout.OWNER;
import static org.vhostnetmap.virtqueue.PackedLayout.RING_EVENT_FLAGS_DESC;
import static org.vhostnetmap.virtqueue.PackedLayout.RING_EVENT_FLAGS_DISABLE;
import static org.vhostnetmap.virtqueue.PackedLayout.RING_EVENT_FLAGS_ENABLE;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_INDIRECT;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_NEXT;
import static org.vhostnetmap.virtqueue.PackedLayout.VIRTQ_DESC_F_WRITE;
import static org.vhostnetmap.virtqueue.PackedLayout.WORD;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;

/**
 * The device's side of one packed virtqueue (virtio 1.3, 2.8). Chains are given back in the order
 * they came, so one place in the ring is enough: all before it are used.
 */
public final class PackedVirtqueue extends Virtqueue {
  /** Flags that make a chain of more than one plain buffer, or turn its direction. */
  private static final long SHAPE = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE;

  private final int size;
  private final long ring;
  private final long driverEvent;
  private final long deviceEvent;
  private final PackedWalk walk;
  private final boolean eventIndex;
  private final boolean oneElementForAll;
  private final long plainShape; // what SHAPE of a chain of one buffer is

  // What peek has read of a run of descriptors.
  private final long[] words = new long[Chains.CHAINS];
  private long oddWord;
  private long strangeAddress;

  private int slot; // next to take and to give back
  private boolean wrap;

  // What is completed but not published. Its first element is written last.
  private int pendingChains;
  private int pendingSlots;
  private long pendingElement; // where it goes
  private long pendingWord;

  private int unaskedSlots; // published since wantsCall; more than a ringful are size + 1

  private boolean callUnconditionally = true; // we can't know what the driver waited for before us

  // The region that held the last buffer: nearly always the next one's too.
  private long cachedGuest;
  private long cachedSize;
  private long cachedHost;

  /** Takes over a ring where {@code setup.base()} says. */
  public PackedVirtqueue(Setup setup, GuestMemory memory) {
    setup.require(RingFormat.PACKED);
    size = setup.size();
    ring = setup.descriptorArea();
    driverEvent = setup.driverArea();
    deviceEvent = setup.deviceArea();
    eventIndex = setup.eventIndex();
    oneElementForAll = setup.inOrder() && setup.direction() == Direction.READABLE;
    walk = new PackedWalk(memory, setup.direction(), setup.indirect());
    plainShape = plainShape(setup.direction(), VIRTQ_DESC_F_WRITE);
    int place = PackedBase.place(setup.base());
    slot = PackedBase.slot(place);
    wrap = PackedBase.wrap(place) || (setup.base() == 0 && wasNeverUsed());
  }

  /**
   * User-mode Linux tells base 0 of a ring of any format. That is where a packed ring stands after
   * an odd number of laps; but then its USED bit is set somewhere, by the device in that lap or by
   * the driver in the next.
   */
  private boolean wasNeverUsed() {
    for (int i = 0; i < size; i++) {
      if ((wordAt(i) & PackedLayout.VIRTQ_DESC_F_USED) != 0) {
        return false;
      }
    }
    return true;
  }

  private long wordAt(int index) {
    return Memory.getLongAcquire(ring + (long) DESCRIPTOR_BYTES * index + WORD);
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public int base() {
    return PackedBase.of(slot, wrap);
  }

  @Override
  public int availableIndex() {
    return slot;
  }

  @Override
  public int usedIndex() {
    return slot;
  }

  @Override
  public int peek(Chains chains, int max) throws GuestFault {
    int held = chains.count;
    int end = held + Math.min(max, Chains.CHAINS - held);
    boolean more = true;
    // Never more than the ring holds, whatever its flags say.
    while (more && chains.count < end && chains.slotsHeld < size) {
      int next = slot + chains.slotsHeld;
      boolean lap = wrap;
      if (next >= size) {
        next -= size;
        lap = !lap;
      }
      int most = Math.min(end - chains.count, size - Math.max(next, chains.slotsHeld));
      more = appendRun(chains, next, most, PackedLayout.available(lap));
    }
    return chains.count - held;
  }

  /** Descriptors that follow one another in the ring; false when there are no more to take now. */
  private boolean appendRun(Chains chains, int first, int most, long owner) throws GuestFault {
    int plain = readWords(first, most, owner);
    long odd = oddWord;
    int done = 0;
    while (done < plain) {
      done = appendPlain(chains, first, done, plain);
      if (done < plain) {
        if (chains.firstSegment[chains.count] == Chains.SEGMENTS) {
          return false; // the table is full
        }
        if (!appendSlowly(chains, first + done, owner, strangeAddress, words[done])) {
          return false;
        }
        done++;
      }
    }
    if (odd != 0) {
      long address = Memory.getLong(addressAt(first + plain));
      return appendSlowly(chains, first + plain, owner, address, odd);
    }
    return plain == most;
  }

  /**
   * The second halves of up to {@code most} descriptors that follow one another in the ring, as far
   * as they are available and a chain each. When one ends this that is available it is the odd
   * word, else that is 0.
   */
  private int readWords(int first, int most, long owner) {
    long[] read = words;
    long plain = owner | plainShape;
    long at = elementAt(first);
    long word = plain;
    int found = 0;
    for (; found < most; found++) {
      word = Memory.getLong(at + (long) DESCRIPTOR_BYTES * found);
      if ((word & (SHAPE | OWNER)) != plain) {
        break;
      }
      read[found] = word;
    }
    oddWord = found < most && (word & OWNER) == owner ? word : 0;
    Memory.acquireFence(); // flags before addresses; length and id came with them
    return found;
  }

  /**
   * Appends chains of one buffer in the region of the last one. The address of the first that is
   * not such is the strange address: it is not read again.
   *
   * @return the place of that one from {@code from} on, or {@code to}
   */
  private int appendPlain(Chains chains, int first, int from, int to) {
    long[] segmentAddress = chains.segmentAddress;
    int[] segmentLength = chains.segmentLength;
    int[] firstSegment = chains.firstSegment;
    int[] slots = chains.slots;
    int[] head = chains.head;
    long[] chainLength = chains.length;
    long region = cachedGuest;
    long regionSize = cachedSize;
    long host = cachedHost;
    int chain = chains.count;
    int segment = firstSegment[chain];
    int count = Math.min(to - from, Chains.SEGMENTS - segment);
    long at = addressAt(first + from);
    int i = 0;
    for (; i < count; i++) {
      long word = words[from + i];
      long length = word & 0xffffffffL;
      long address = Memory.getLong(at + (long) DESCRIPTOR_BYTES * i);
      long offset = address - region;
      if (!GuestMemory.holdsBuffer(regionSize, offset, length)) {
        strangeAddress = address;
        break;
      }
      segmentAddress[segment + i] = host + offset;
      segmentLength[segment + i] = (int) length;
      head[chain + i] = PackedWalk.id(word);
      chainLength[chain + i] = length;
      slots[chain + i] = 1;
      firstSegment[chain + i + 1] = segment + i + 1;
    }
    chains.entered(i);
    return from + i;
  }

  /**
   * A chain of several descriptors, in another region, or a bad one. The first descriptor comes as
   * it was read: a second read might see another.
   */
  private boolean appendSlowly(Chains chains, int next, long available, long address, long word)
      throws GuestFault {
    try {
      boolean fits = walk.append(chains, ring, size, next, available, address, word);
      cache(walk.lastRegion());
      return fits;
    } catch (GuestFault fault) {
      if (chains.count > 0) {
        return false; // a fault waits until the good chains before it are consumed
      }
      throw fault;
    }
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
    if (count == 0) {
      return;
    }
    // Fields are stored together at the end: an error over another queue's memory may arrive in the
    // middle of this, and then nothing has happened.
    boolean fresh = pendingChains == 0;
    long firstWord = fresh ? element(chains, 0, PackedLayout.used(wrap)) : pendingWord;
    int slots;
    if (oneElementForAll) {
      slots = slots(chains, count);
      firstWord = (firstWord & OWNER) | (long) chains.head[count - 1] << DESCRIPTOR_ID_SHIFT;
    } else {
      slots = putElements(chains, count, fresh);
    }
    if (fresh) {
      pendingElement = elementAt(slot);
    }
    pendingWord = firstWord;
    pendingChains += count;
    pendingSlots += slots;
    slot += slots;
    if (slot >= size) {
      slot -= size;
      wrap = !wrap;
    }
  }

  /** Slots of the first {@code count} chains. */
  private static int slots(Chains chains, int count) {
    if (chains.slotsHeld == chains.count) {
      return count; // one each
    }
    int sum = 0;
    for (int i = 0; i < count; i++) {
      sum += chains.slots[i];
    }
    return sum;
  }

  /** All used elements, or all but the first; the slots of all. */
  private int putElements(Chains chains, int count, boolean butTheFirst) {
    int slots = 0;
    int at = slot;
    long used = PackedLayout.used(wrap);
    for (int i = 0; i < count; i++) {
      if (i > 0 || !butTheFirst) {
        Memory.putLong(elementAt(at), element(chains, i, used));
      }
      slots += chains.slots[i];
      at += chains.slots[i];
      if (at >= size) {
        at -= size;
        used ^= OWNER;
      }
    }
    return slots;
  }

  private long addressAt(int index) {
    return ring + (long) DESCRIPTOR_BYTES * index;
  }

  private long elementAt(int index) {
    return ring + (long) DESCRIPTOR_BYTES * index + WORD;
  }

  /** A used descriptor's second half; the first one means nothing (virtio 1.3, 2.8.4). */
  private static long element(Chains chains, int i, long used) {
    int written = chains.written[i];
    return used
        | (written == 0 ? 0 : VIRTQ_DESC_F_WRITE)
        | (long) chains.head[i] << DESCRIPTOR_ID_SHIFT
        | (written & 0xffffffffL);
  }

  @Override
  public void publish() {
    if (pendingChains == 0) {
      return;
    }
    // 2.8.2 and 2.8.9: the driver polls the first of them only, so that one makes all visible.
    Memory.publishLong(pendingElement, pendingWord);
    unaskedSlots = Math.min(unaskedSlots + pendingSlots, size + 1);
    pendingChains = 0;
    pendingSlots = 0;
  }

  @Override
  public boolean wantsCall() {
    int slots = unaskedSlots;
    if (slots == 0) {
      return false;
    }
    int event = (int) Memory.getUnsignedIntAcquire(driverEvent);
    int flags = (event >>> EVENT_FLAGS_SHIFT) & 3;
    boolean wanted =
        (flags == RING_EVENT_FLAGS_DESC && eventIndex)
            ? callUnconditionally || slots > size || isAmongLast(slots, event & 0xffff)
            : flags != RING_EVENT_FLAGS_DISABLE;
    callUnconditionally = false;
    unaskedSlots = 0;
    return wanted;
  }

  /** Whether the place the driver waits for is one of the last {@code slots} before ours. */
  private boolean isAmongLast(int slots, int place) {
    int lap = PackedBase.wrap(place) == wrap ? 0 : size;
    int behind = slot - pendingSlots + lap - PackedBase.slot(place);
    return behind >= 1 && behind <= slots;
  }

  @Override
  public boolean wantKicks() {
    int flags = eventIndex ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
    int place = wrap ? slot | PackedLayout.WRAP : slot;
    Memory.publishInt(deviceEvent, place | (flags << EVENT_FLAGS_SHIFT));
    // virtio 1.3, 2.8.21.2: our wish must be visible before the last look, else a kick is lost.
    Memory.fullFence();
    return hasAvailable();
  }

  @Override
  public void refuseKicks() {
    Memory.publishInt(deviceEvent, RING_EVENT_FLAGS_DISABLE << EVENT_FLAGS_SHIFT);
  }

  @Override
  public boolean hasAvailable() {
    return (wordAt(slot) & OWNER) == PackedLayout.available(wrap);
  }
}
