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
public final class FakeDriver {
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

  private final long delta; // host address - guest address
  private final long descriptorTable; // guest addresses
  private final long availableRing;
  private final long usedRing;
  private final long arena;
  private final long arenaEnd;
  private final int size;
  private final ArrayDeque<Integer> free = new ArrayDeque<>();
  private final List<List<Integer>> chainDescriptors = new ArrayList<>();
  private long nextBuffer;
  private int availableIndex;
  private int seenUsed;
  private boolean eventIndex;

  /**
   * A ring of {@code size} entries in the {@code bytes} bytes of guest memory from {@code
   * guestBase} on, which the host sees at {@code hostBase}.
   */
  public FakeDriver(long hostBase, long guestBase, long bytes, int size) {
    this.size = size;
    delta = hostBase - guestBase;
    descriptorTable = alignUp(guestBase, 16);
    availableRing = descriptorTable + 16L * size;
    usedRing = alignUp(availableRing + 6 + 2L * size, 4);
    arena = alignUp(usedRing + 6 + 8L * size, 64);
    arenaEnd = guestBase + bytes;
    nextBuffer = arena;
    if (arena >= arenaEnd) {
      throw new IllegalArgumentException("no room for buffers in " + bytes + " bytes");
    }
    for (int i = 0; i < size; i++) {
      free.add(i);
      chainDescriptors.add(List.of());
    }
    Memory.fill(host(descriptorTable), arena - descriptorTable, 0);
  }

  private static long alignUp(long value, long alignment) {
    return (value + alignment - 1) & -alignment;
  }

  /** Bytes that a ring of {@code size} entries takes before its buffers begin. */
  public static long ringBytes(int size) {
    return 16L * size + 6 + 2L * size + 6 + 8L * size + 16 + 4 + 64;
  }

  /** Turns on VIRTIO_F_EVENT_IDX. */
  public FakeDriver withEventIndex() {
    eventIndex = true;
    return this;
  }

  /** Starts both indexes at a number near the wrap, as after a long life. */
  public FakeDriver startingAt(int index) {
    availableIndex = index & 0xffff;
    seenUsed = availableIndex;
    Memory.putShort(host(availableRing + 2), availableIndex);
    Memory.putShort(host(usedRing + 2), availableIndex);
    return this;
  }

  /** Entries. */
  public int size() {
    return size;
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

  /** Guest address of the first buffer. */
  public long arena() {
    return arena;
  }

  /** The host address of a guest address of this driver's memory. */
  public long host(long guestAddress) {
    return guestAddress + delta;
  }

  /** Writes one descriptor. */
  public void descriptor(int index, long guestAddress, long length, int flags, int next) {
    descriptorAt(descriptorTable + 16L * index, guestAddress, length, flags, next);
  }

  /** Writes one descriptor of an indirect table at any guest address. */
  public void descriptorAt(long where, long guestAddress, long length, int flags, int next) {
    Memory.putLong(host(where), guestAddress);
    Memory.putInt(host(where) + 8, (int) length);
    Memory.putShort(host(where) + 12, flags);
    Memory.putShort(host(where) + 14, next);
  }

  /** Puts a head into the available ring at the next place and publishes it. */
  public void available(int head) {
    Memory.putShort(host(availableRing + 4 + 2L * (availableIndex & (size - 1))), head);
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

  /** A buffer of {@code length} bytes in the arena, which wraps around: old buffers are reused. */
  public long buffer(int length) {
    if (nextBuffer + length > arenaEnd) {
      nextBuffer = arena;
    }
    long buffer = nextBuffer;
    nextBuffer = alignUp(buffer + length, 8);
    return buffer;
  }

  /** A buffer that holds these bytes. */
  public long bufferWith(byte[] bytes) {
    long buffer = buffer(bytes.length);
    Memory.copyFromArray(bytes, 0, host(buffer), bytes.length);
    return buffer;
  }

  /** Descriptors that are free. */
  public int freeDescriptors() {
    return free.size();
  }

  /** Makes one chain of these pieces available and returns its head. */
  public int post(Piece... pieces) {
    if (free.size() < pieces.length || pieces.length == 0) {
      throw new IllegalStateException("ring full");
    }
    List<Integer> indexes = new ArrayList<>();
    for (int i = 0; i < pieces.length; i++) {
      indexes.add(free.remove());
    }
    for (int i = 0; i < pieces.length; i++) {
      boolean last = i == pieces.length - 1;
      int flags = (last ? 0 : NEXT) | (pieces[i].writable ? WRITE : 0);
      descriptor(
          indexes.get(i),
          pieces[i].guestAddress,
          pieces[i].length,
          flags,
          last ? 0 : indexes.get(i + 1));
    }
    int head = indexes.get(0);
    chainDescriptors.set(head, indexes);
    available(head);
    return head;
  }

  /** Makes one chain available by an indirect table and returns its head. */
  public int postIndirect(Piece... pieces) {
    long table = buffer(16 * pieces.length);
    for (int i = 0; i < pieces.length; i++) {
      boolean last = i == pieces.length - 1;
      int flags = (last ? 0 : NEXT) | (pieces[i].writable ? WRITE : 0);
      descriptorAt(
          table + 16L * i, pieces[i].guestAddress, pieces[i].length, flags, last ? 0 : i + 1);
    }
    int head = free.remove();
    descriptor(head, table, 16L * pieces.length, INDIRECT, 0);
    chainDescriptors.set(head, List.of(head));
    available(head);
    return head;
  }

  /** Makes one device-readable chain of these parts available (a transmit) and returns its head. */
  public int send(byte[]... parts) {
    Piece[] pieces = new Piece[parts.length];
    for (int i = 0; i < parts.length; i++) {
      pieces[i] = new Piece(bufferWith(parts[i]), parts[i].length, false);
    }
    return post(pieces);
  }

  /** Makes one device-writable chain of buffers of these lengths available and returns its head. */
  public int postReceive(int... lengths) {
    Piece[] pieces = new Piece[lengths.length];
    for (int i = 0; i < lengths.length; i++) {
      long buffer = buffer(lengths[i]);
      Memory.fill(host(buffer), lengths[i], 0xa5);
      pieces[i] = new Piece(buffer, lengths[i], true);
    }
    return post(pieces);
  }

  /**
   * Takes the next used element, or null when the device published none; its descriptors are free
   * again.
   */
  public @org.jspecify.annotations.Nullable Used takeUsed() {
    if (usedIndex() == seenUsed) {
      return null;
    }
    long element = host(usedRing + 4 + 8L * (seenUsed & (size - 1)));
    Used used = new Used((int) Memory.getUnsignedInt(element), Memory.getUnsignedInt(element + 4));
    seenUsed = (seenUsed + 1) & 0xffff;
    if (used.head < size) {
      free.addAll(chainDescriptors.get(used.head));
      chainDescriptors.set(used.head, List.of());
    }
    return used;
  }

  /** The first {@code length} bytes of the (direct) chain at {@code head}. */
  public byte[] contents(int head, int length) {
    if (length < 0 || length > arenaEnd - arena) {
      throw new IllegalStateException("no chain of ours has " + length + " bytes");
    }
    byte[] bytes = new byte[length];
    int done = 0;
    for (int index = head & (size - 1); done < length; ) {
      long descriptor = host(descriptorTable + 16L * index);
      long address = Memory.getLong(descriptor);
      long part = Math.min(Memory.getLong(descriptor + 8) & 0xffffffffL, length - done);
      // A test may have cut this very memory: then what was just read is no address.
      if (address < arena || address > arenaEnd - part) {
        throw new IllegalStateException("a descriptor of ours names no buffer of ours");
      }
      Memory.copyToArray(host(address), bytes, done, (int) part);
      done += (int) part;
      index = (int) (Memory.getLong(descriptor + 8) >>> 48) & (size - 1);
    }
    return bytes;
  }

  /** Whether the device wants a kick for what was made available since {@code old}. */
  public boolean kickNeeded(int old) {
    Memory.fullFence();
    if (!eventIndex) {
      return (Memory.getUnsignedShort(host(usedRing)) & 1) == 0;
    }
    int event = Memory.getUnsignedShort(host(usedRing + 4 + 8L * size));
    return ((availableIndex - event - 1) & 0xffff) < ((availableIndex - old) & 0xffff);
  }

  /** Without event index: whether the device may call (VIRTQ_AVAIL_F_NO_INTERRUPT clear). */
  public void wantCalls(boolean wanted) {
    Memory.putShort(host(availableRing), wanted ? 0 : 1);
    Memory.fullFence();
  }

  /** With event index: the device calls when it uses the entry of this index. */
  public void usedEvent(int index) {
    Memory.putShort(host(availableRing + 4 + 2L * size), index);
    Memory.fullFence();
  }
}
