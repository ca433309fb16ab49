// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.linux.Memory;

/**
 * The guest driver's side of one virtqueue of either format, played by test code: what {@link
 * FakeDriver} (split) and {@link FakePackedDriver} have in common. Three areas of the ring, then
 * one arena of buffers.
 *
 * <p>One thread at a time; the device may be another thread.
 */
public abstract class FakeRing {
  private final long delta; // host address - guest address
  private final long arenaEnd;
  private final int size;
  private final ArrayDeque<Integer> outstanding = new ArrayDeque<>(); // in the order of making
  private long arena;
  private long nextBuffer;
  private boolean eventIndex;
  private boolean inOrder;
  private @Nullable Used batch; // the one element that stands for several chains

  FakeRing(long hostBase, long guestBase, long bytes, int size) {
    this.size = size;
    delta = hostBase - guestBase;
    arenaEnd = guestBase + bytes;
  }

  /** The rings are laid out: buffers begin here. */
  final void buffersFrom(long guestAddress) {
    arena = guestAddress;
    nextBuffer = guestAddress;
    if (arena >= arenaEnd) {
      throw new IllegalArgumentException("no room for buffers");
    }
  }

  static long alignUp(long value, long alignment) {
    return (value + alignment - 1) & -alignment;
  }

  /** Turns on VIRTIO_F_EVENT_IDX. */
  public FakeRing withEventIndex() {
    eventIndex = true;
    return this;
  }

  /** Turns on VIRTIO_F_IN_ORDER: one used element may stand for several chains. */
  public FakeRing withInOrder() {
    inOrder = true;
    return this;
  }

  final boolean hasEventIndex() {
    return eventIndex;
  }

  /** Starts as if so many entries had gone through in a long life. */
  public abstract FakeRing startingAt(int index);

  /** Where the device goes on, as VHOST_USER_SET_VRING_BASE tells it, 32 bits. */
  public abstract long base();

  /** Entries. */
  public final int size() {
    return size;
  }

  /** Guest address of the descriptor area. */
  public abstract long descriptorArea();

  /** Guest address of the driver area. */
  public abstract long driverArea();

  /** Guest address of the device area. */
  public abstract long deviceArea();

  /** Guest address of the first buffer. */
  public final long arena() {
    return arena;
  }

  final long arenaEnd() {
    return arenaEnd;
  }

  /** The host address of a guest address of this driver's memory. */
  public final long host(long guestAddress) {
    return guestAddress + delta;
  }

  /** Writes one descriptor of an indirect table at any guest address; in its format's way. */
  public abstract void descriptorAt(
      long where, long guestAddress, long length, int flags, int nextOrId);

  /** A buffer of {@code length} bytes in the arena, which wraps around: old buffers are reused. */
  public final long buffer(int length) {
    if (nextBuffer + length > arenaEnd) {
      nextBuffer = arena;
    }
    long buffer = nextBuffer;
    nextBuffer = alignUp(buffer + length, 8);
    return buffer;
  }

  /** A buffer that holds these bytes. */
  public final long bufferWith(byte[] bytes) {
    long buffer = buffer(bytes.length);
    Memory.copyFromArray(bytes, 0, host(buffer), bytes.length);
    return buffer;
  }

  /** Descriptors that are free. */
  public abstract int freeDescriptors();

  /**
   * Makes a chain of these descriptors available, each with exactly these flags (and, in a packed
   * ring, whatever makes it available), one after the other. Answers its head, or its buffer id.
   */
  public abstract int chain(Raw... descriptors);

  /**
   * A descriptor as it stands in the ring.
   *
   * @param guestAddress of the buffer or table
   * @param length in bytes, 32 bits
   * @param flags {@link FakeDriver#NEXT}, {@link FakeDriver#WRITE}, {@link FakeDriver#INDIRECT}
   */
  public record Raw(long guestAddress, long length, int flags) {}

  /** Makes one chain of these pieces available and returns its head, or its buffer id. */
  public final int post(Piece... pieces) {
    Raw[] raw = new Raw[pieces.length];
    for (int i = 0; i < pieces.length; i++) {
      int flags = (i == pieces.length - 1 ? 0 : FakeDriver.NEXT) | writeFlag(pieces[i]);
      raw[i] = new Raw(pieces[i].guestAddress(), pieces[i].length(), flags);
    }
    return chain(raw);
  }

  static int writeFlag(Piece piece) {
    return piece.writable() ? FakeDriver.WRITE : 0;
  }

  /** Makes one chain available by an indirect table and returns its head, or its buffer id. */
  public final int postIndirect(Piece... pieces) {
    long table = buffer(16 * pieces.length);
    writeTable(table, pieces);
    return chain(new Raw(table, 16L * pieces.length, FakeDriver.INDIRECT));
  }

  /** Writes an indirect table as an honest driver does. */
  public abstract void writeTable(long guestAddress, Piece... pieces);

  /** Makes one device-readable chain of these parts available (a transmit) and returns its head. */
  public final int send(byte[]... parts) {
    Piece[] pieces = new Piece[parts.length];
    for (int i = 0; i < parts.length; i++) {
      pieces[i] = new Piece(bufferWith(parts[i]), parts[i].length, false);
    }
    return post(pieces);
  }

  /** Makes one device-writable chain of buffers of these lengths available and returns its head. */
  public final int postReceive(int... lengths) {
    Piece[] pieces = new Piece[lengths.length];
    for (int i = 0; i < lengths.length; i++) {
      long buffer = buffer(lengths[i]);
      Memory.fill(host(buffer), lengths[i], 0xa5);
      pieces[i] = new Piece(buffer, lengths[i], true);
    }
    return post(pieces);
  }

  final void madeAvailable(int head) {
    outstanding.add(head);
  }

  /**
   * Takes the next used element, or null when the device published none; its descriptors are free
   * again. With IN_ORDER, chains that the device skipped come one by one, with no length.
   */
  public final @Nullable Used takeUsed() {
    if (!inOrder) {
      Used used = readUsed();
      if (used != null) {
        outstanding.remove(used.head());
        free(used.head());
      }
      return used;
    }
    Used last = batch == null ? readUsed() : batch;
    if (last == null) {
      return null;
    }
    Integer head = outstanding.poll();
    if (head == null) {
      throw new IllegalStateException("used, but nothing is available: " + last);
    }
    boolean isLast = head == last.head();
    batch = isLast ? null : last;
    free(head);
    return isLast ? last : new Used(head, 0);
  }

  /** The element at the place where the driver looks next, or null; that place stays. */
  abstract @Nullable Used readUsed();

  /** The chain is the driver's again, and the place where it looks goes on. */
  abstract void free(int head);

  /** The first {@code length} bytes of the (direct) chain with this head. */
  public abstract byte[] contents(int head, int length);

  /** How far the driver has made chains available, for {@link #kickNeeded}. */
  public abstract int mark();

  /** Whether the device wants a kick for what was made available since {@code mark}. */
  public abstract boolean kickNeeded(int mark);

  /** Without event index: whether the device may call. */
  public abstract void wantCalls(boolean wanted);

  /**
   * With event index: the device calls when it uses the {@code count}th entry from where the driver
   * looks next, counted from 1.
   */
  public abstract void callAfter(int count);
}
