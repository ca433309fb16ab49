// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.linux.Memory;

/// The guest driver's side of one packed virtqueue, played by test code.
///
/// Written from virtio 1.3, 2.8 alone: it shares no constant with the device's side, so a mistake
/// there is not mirrored here. Lays out, from `guestBase` on: descriptor ring, driver event
/// suppression, device event suppression, then one arena of buffers. Buffer ids are handed out in
/// an order of their own, so that none is by chance the number of a slot.
public final class FakePackedDriver extends FakeRing {
  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;

  private final long ring;
  private final long driverEvent;
  private final long deviceEvent;
  private final ArrayDeque<Integer> freeIds = new ArrayDeque<>();
  private final List<List<Raw>> chains = new ArrayList<>(); // by id; kept when free
  private final boolean[] busy;
  private int freeSlots;
  private int made; // slots made available in all, also those before startingAt
  private int seen; // slots whose use was seen

  /**
   * A ring of {@code size} entries in the {@code bytes} bytes of guest memory from {@code
   * guestBase} on, which the host sees at {@code hostBase}.
   */
  public FakePackedDriver(long hostBase, long guestBase, long bytes, int size) {
    super(hostBase, guestBase, bytes, size);
    ring = alignUp(guestBase, 16);
    driverEvent = ring + 16L * size;
    deviceEvent = driverEvent + 4;
    buffersFrom(alignUp(deviceEvent + 4, 64));
    Memory.fill(host(ring), arena() - ring, 0);
    busy = new boolean[size];
    freeSlots = size;
    for (int i = 0; i < size; i++) {
      freeIds.add(size - 1 - i);
      chains.add(List.of());
    }
  }

  /** Bytes that a ring of {@code size} entries takes before its buffers begin. */
  public static long ringBytes(int size) {
    return 16L * size + 8 + 16 + 64;
  }

  @Override
  public FakePackedDriver startingAt(int index) {
    made = index;
    seen = index;
    for (int slot = 0; slot < size(); slot++) {
      boolean thisLap = slot < index % size();
      boolean wrap = wrap(index) == thisLap;
      boolean everUsed = thisLap || index >= size();
      flags(slot, everUsed && wrap ? AVAIL | USED : 0);
    }
    return this;
  }

  /** The wrap counter at a place: 1 in the first lap and every other. */
  private boolean wrap(int place) {
    return place / size() % 2 == 0;
  }

  private int offWrap(int place) {
    return place % size() | (wrap(place) ? 1 << 15 : 0);
  }

  @Override
  public long base() {
    return (long) offWrap(seen) << 16 | offWrap(seen);
  }

  @Override
  public long descriptorArea() {
    return ring;
  }

  @Override
  public long driverArea() {
    return driverEvent;
  }

  @Override
  public long deviceArea() {
    return deviceEvent;
  }

  @Override
  public void descriptorAt(long where, long guestAddress, long length, int flags, int id) {
    Memory.putLong(host(where), guestAddress);
    Memory.putInt(host(where) + 8, (int) length);
    Memory.putShort(host(where) + 12, id);
    Memory.putShort(host(where) + 14, flags);
  }

  /** Writes the flags of the descriptor in a slot, after all that was written before. */
  public void flags(int slot, int flags) {
    Memory.publishShort(host(ring + 16L * slot + 14), flags);
  }

  /** The flags of the descriptor in a slot. */
  public int flags(int slot) {
    return Memory.getUnsignedShortAcquire(host(ring + 16L * slot + 14));
  }

  /** The slot where the next chain will begin. */
  public int nextSlot() {
    return made % size();
  }

  /** The flags that make a descriptor available in the slot {@code ahead} of the next chain's. */
  public int availableFlags(int ahead) {
    return wrap(made + ahead) ? AVAIL : USED;
  }

  @Override
  public int freeDescriptors() {
    return freeSlots;
  }

  @Override
  public int chain(Raw... descriptors) {
    if (freeSlots < descriptors.length || descriptors.length == 0) {
      throw new IllegalStateException("ring full");
    }
    int id = freeIds.remove();
    busy[id] = true;
    chains.set(id, List.of(descriptors));
    freeSlots -= descriptors.length;
    int first = 0;
    for (int i = 0; i < descriptors.length; i++) {
      Raw raw = descriptors[i];
      int flags = raw.flags() | availableFlags(i);
      boolean last = i == descriptors.length - 1;
      long where = ring + 16L * ((made + i) % size());
      // 2.8.6: the id is in the last one only; what the others have is nobody's business.
      Memory.putLong(host(where), raw.guestAddress());
      Memory.putInt(host(where) + 8, (int) raw.length());
      Memory.putShort(host(where) + 12, last ? id : 0xdead);
      if (i == 0) {
        first = flags;
      } else {
        flags((made + i) % size(), flags);
      }
    }
    flags(nextSlot(), first); // makes all of them available
    made += descriptors.length;
    madeAvailable(id);
    return id;
  }

  @Override
  public void writeTable(long guestAddress, Piece... pieces) {
    for (int i = 0; i < pieces.length; i++) {
      descriptorAt(
          guestAddress + 16L * i,
          pieces[i].guestAddress(),
          pieces[i].length(),
          writeFlag(pieces[i]),
          0);
    }
  }

  @Override
  @Nullable Used readUsed() {
    int slot = seen % size();
    int wanted = wrap(seen) ? AVAIL | USED : 0;
    int flags = flags(slot);
    if ((flags & (AVAIL | USED)) != wanted || seen == made) {
      return null;
    }
    long where = host(ring + 16L * slot);
    int id = Memory.getUnsignedShort(where + 12);
    if (id >= size() || !busy[id]) {
      throw new IllegalStateException("used, but not available: id " + id);
    }
    // 2.8.4: without WRITE the length means nothing.
    boolean written = (flags & FakeDriver.WRITE) != 0;
    return new Used(id, written ? Memory.getUnsignedInt(where + 8) : 0);
  }

  @Override
  void free(int id) {
    int slots = chains.get(id).size();
    seen += slots;
    freeSlots += slots;
    busy[id] = false;
    freeIds.add(id);
  }

  @Override
  public byte[] contents(int id, int length) {
    byte[] bytes = new byte[length];
    int done = 0;
    for (Raw raw : chains.get(id)) {
      int part = (int) Math.min(raw.length(), length - done);
      Memory.copyToArray(host(raw.guestAddress()), bytes, done, part);
      done += part;
    }
    return bytes;
  }

  @Override
  public int mark() {
    return made;
  }

  @Override
  public boolean kickNeeded(int mark) {
    Memory.fullFence();
    int event = (int) Memory.getUnsignedIntAcquire(host(deviceEvent));
    int flags = (event >>> 16) & 3;
    if (flags != 2) {
      return flags == 0;
    }
    if (!hasEventIndex()) {
      throw new IllegalStateException("RING_EVENT_FLAGS_DESC was not negotiated");
    }
    for (int place = mark; place < made; place++) {
      if (offWrap(place) == (event & 0xffff)) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void wantCalls(boolean wanted) {
    driverEvent(0, wanted ? 0 : 1);
  }

  @Override
  public void callAfter(int count) {
    driverEvent(offWrap(seen + count - 1), 2);
  }

  /** Writes the driver event suppression structure. */
  public void driverEvent(int offWrap, int flags) {
    Memory.publishInt(host(driverEvent), flags << 16 | offWrap);
    Memory.fullFence();
  }
}
