// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.Memory;

/// The guest driver's side of one split virtqueue, played by test code, over memory that the device
/// under test also maps.
///
/// Written from virtio 1.3, 2.7 alone: it shares no constant with the device's side, so a mistake
/// there is not mirrored here. Lays out, from `guestBase` on: descriptor table, available ring,
/// used ring, then one arena of buffers. Low-level pokes ([#descriptor], [#available],
/// [#availableIndex]) let a test be as hostile as it likes; [#send], [#postReceive] and [#takeUsed]
/// let it behave.
///
/// One thread at a time; the device may be another thread.
public final class FakeDriver extends FakeRing {
  /** VIRTQ_DESC_F_NEXT. */
  public static final int NEXT = 1;

  /** VIRTQ_DESC_F_WRITE. */
  public static final int WRITE = 2;

  /** VIRTQ_DESC_F_INDIRECT. */
  public static final int INDIRECT = 4;

  /** A used element: the head of the chain, and how many bytes the device says it wrote. */
  public record Used(int head, long length) {}

  /** One piece of a chain: an address in guest memory, bytes, and whether the device may write. */
  public record Piece(long guestAddress, long length, boolean writable) {}

  private final long descriptorTable; // guest addresses
  private final long availableRing;
  private final long usedRing;
  private final ArrayDeque<Integer> free = new ArrayDeque<>();
  private final List<List<Integer>> chainDescriptors = new ArrayList<>();
  private int availableIndex;
  private int seenUsed;

  /**
   * A ring of {@code size} entries in the {@code bytes} bytes of guest memory from {@code
   * guestBase} on, which the host sees at {@code hostBase}.
   */
  public FakeDriver(long hostBase, long guestBase, long bytes, int size) {
    super(hostBase, guestBase, bytes, size);
    descriptorTable = alignUp(guestBase, 16);
    availableRing = descriptorTable + 16L * size;
    usedRing = alignUp(availableRing + 6 + 2L * size, 4);
    buffersFrom(alignUp(usedRing + 6 + 8L * size, 64));
    for (int i = 0; i < size; i++) {
      free.add(i);
      chainDescriptors.add(List.of());
    }
    Memory.fill(host(descriptorTable), arena() - descriptorTable, 0);
  }

  /** Bytes that a ring of {@code size} entries takes before its buffers begin. */
  public static long ringBytes(int size) {
    return 16L * size + 6 + 2L * size + 6 + 8L * size + 16 + 4 + 64;
  }

  @Override
  public FakeDriver withEventIndex() {
    super.withEventIndex();
    return this;
  }

  /** Starts both indexes at a number near the wrap, as after a long life. */
  @Override
  public FakeDriver startingAt(int index) {
    availableIndex = index & 0xffff;
    seenUsed = availableIndex;
    Memory.putShort(host(availableRing + 2), availableIndex);
    Memory.putShort(host(usedRing + 2), availableIndex);
    return this;
  }

  /** Guest address of the descriptor table. */
  public long descriptorTable() {
    return descriptorTable;
  }

  /** Guest address of the available ring. */
  public long availableRing() {
    return availableRing;
  }

  /** Guest address of the used ring. */
  public long usedRing() {
    return usedRing;
  }

  @Override
  public long base() {
    return seenUsed;
  }

  @Override
  public long descriptorArea() {
    return descriptorTable;
  }

  @Override
  public long driverArea() {
    return availableRing;
  }

  @Override
  public long deviceArea() {
    return usedRing;
  }

  /** Writes one descriptor. */
  public void descriptor(int index, long guestAddress, long length, int flags, int next) {
    descriptorAt(descriptorTable + 16L * index, guestAddress, length, flags, next);
  }

  @Override
  public void descriptorAt(long where, long guestAddress, long length, int flags, int next) {
    Memory.putLong(host(where), guestAddress);
    Memory.putInt(host(where) + 8, (int) length);
    Memory.putShort(host(where) + 12, flags);
    Memory.putShort(host(where) + 14, next);
  }

  /** Puts a head into the available ring at the next place and publishes it. */
  public void available(int head) {
    Memory.putShort(host(availableRing + 4 + 2L * (availableIndex & (size() - 1))), head);
    availableIndex(availableIndex + 1);
  }

  /** Publishes any available index. */
  public void availableIndex(int index) {
    availableIndex = index & 0xffff;
    Memory.publishShort(host(availableRing + 2), availableIndex);
  }

  /** The available index as last published. */
  public int availableIndex() {
    return availableIndex;
  }

  /** The used index as the device published it. */
  public int usedIndex() {
    return Memory.getUnsignedShortAcquire(host(usedRing + 2));
  }

  @Override
  public int freeDescriptors() {
    return free.size();
  }

  @Override
  public int chain(Raw... descriptors) {
    if (free.size() < descriptors.length || descriptors.length == 0) {
      throw new IllegalStateException("ring full");
    }
    List<Integer> indexes = new ArrayList<>();
    for (int i = 0; i < descriptors.length; i++) {
      indexes.add(free.remove());
    }
    for (int i = 0; i < descriptors.length; i++) {
      Raw raw = descriptors[i];
      int next = i + 1 < descriptors.length ? indexes.get(i + 1) : 0;
      descriptor(indexes.get(i), raw.guestAddress(), raw.length(), raw.flags(), next);
    }
    int head = indexes.get(0);
    chainDescriptors.set(head, indexes);
    available(head);
    madeAvailable(head);
    return head;
  }

  @Override
  public void writeTable(long guestAddress, Piece... pieces) {
    for (int i = 0; i < pieces.length; i++) {
      boolean last = i == pieces.length - 1;
      descriptorAt(
          guestAddress + 16L * i,
          pieces[i].guestAddress,
          pieces[i].length,
          (last ? 0 : NEXT) | writeFlag(pieces[i]),
          last ? 0 : i + 1);
    }
  }

  @Override
  @org.jspecify.annotations.Nullable
  Used readUsed() {
    if (usedIndex() == seenUsed) {
      return null;
    }
    long element = host(usedRing + 4 + 8L * (seenUsed & (size() - 1)));
    return new Used((int) Memory.getUnsignedInt(element), Memory.getUnsignedInt(element + 4));
  }

  @Override
  void free(int head) {
    seenUsed = (seenUsed + 1) & 0xffff;
    if (head < size()) {
      free.addAll(chainDescriptors.get(head));
      chainDescriptors.set(head, List.of());
    }
  }

  @Override
  public byte[] contents(int head, int length) {
    if (length < 0 || length > arenaEnd() - arena()) {
      throw new IllegalStateException("no chain of ours has " + length + " bytes");
    }
    byte[] bytes = new byte[length];
    int done = 0;
    for (int index = head & (size() - 1); done < length; ) {
      long descriptor = host(descriptorTable + 16L * index);
      long address = Memory.getLong(descriptor);
      long part = Math.min(Memory.getLong(descriptor + 8) & 0xffffffffL, length - done);
      // A test may have cut this very memory: then what was just read is no address.
      if (address < arena() || address > arenaEnd() - part) {
        throw new IllegalStateException("a descriptor of ours names no buffer of ours");
      }
      Memory.copyToArray(host(address), bytes, done, (int) part);
      done += (int) part;
      index = (int) (Memory.getLong(descriptor + 8) >>> 48) & (size() - 1);
    }
    return bytes;
  }

  @Override
  public int mark() {
    return availableIndex;
  }

  @Override
  public boolean kickNeeded(int old) {
    Memory.fullFence();
    if (!hasEventIndex()) {
      return (Memory.getUnsignedShort(host(usedRing)) & 1) == 0;
    }
    int event = Memory.getUnsignedShort(host(usedRing + 4 + 8L * size()));
    return ((availableIndex - event - 1) & 0xffff) < ((availableIndex - old) & 0xffff);
  }

  @Override
  public void wantCalls(boolean wanted) {
    Memory.putShort(host(availableRing), wanted ? 0 : 1);
    Memory.fullFence();
  }

  @Override
  public void callAfter(int count) {
    usedEvent((seenUsed + count - 1) & 0xffff);
  }

  /** With event index: the device calls when it uses the entry of this index. */
  public void usedEvent(int index) {
    Memory.putShort(host(availableRing + 4 + 2L * size()), index);
    Memory.fullFence();
  }
}
