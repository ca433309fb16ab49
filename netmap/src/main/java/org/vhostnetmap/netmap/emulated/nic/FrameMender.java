// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.netmap.offload.Segmenter;
import org.vhostnetmap.netmap.offload.VnetHeader;

/// Brings received frames into the form they would have on a wire, and into slots.
///
/// ```
///   message i lies in the buffer of slot hwtail + i, its end in overflow i
///
///   as on the wire                   -> its buffer
///   VLAN tag, checksum               -> its buffer, put right there
///   longer than a buffer             -> copied out, then a chain of spare buffers (NS_MOREFRAG)
///   a long segment (GSO)             -> copied out, then cut into spare buffers
/// ```
///
/// All slots from hwtail up to hwcur are the device's, so their buffers may change places: at the
/// end each of them names one, the delivered frames first, the spare buffers after. Guarded by the
/// kring's monitor.
final class FrameMender implements AutoCloseable {
  /** No frame, nor a long segment of the stack's, is longer. */
  static final int LONGEST = 1 << 17;

  private static final int TAG_BYTES = 4;
  private static final int ADDRESSES = 12;

  private final PacketBatch batch;
  private final Pool pool;
  private final Mapping copy;
  private final Pieces pieces = new Pieces(2);
  private final VnetHeader header = new VnetHeader();
  private final Segmenter segmenter = new Segmenter();

  private final int[] buffers;
  private final int[] lengths;
  private final int[] flags;
  private final int[] spare;
  private int frames;
  private int spares;
  private boolean longFrames;

  FrameMender(PacketBatch batch, int slots, Pool pool) throws ErrnoException {
    this.batch = batch;
    this.pool = pool;
    copy = Mapping.anonymous(LONGEST + 4096L);
    buffers = new int[slots];
    lengths = new int[slots];
    flags = new int[slots];
    spare = new int[slots];
  }

  /**
   * Delivers messages {@code from} to {@code to}, the first of which lies in the slot at hwtail.
   *
   * @return whether one of them needed more than one slot
   */
  boolean deliver(Kring kring, int from, int to, long overflow) {
    int first = kring.hwtail;
    int room = kring.room();
    frames = 0;
    spares = 0;
    longFrames = false;
    collectSpares(kring, first, to - from, room);
    int slot = first;
    for (int i = from; i < to; i++) {
      mend(kring, slot, i, overflow + (long) LONGEST * i);
      slot = kring.next(slot);
    }
    assign(kring, first);
    return longFrames;
  }

  /** Buffers of the slots after those of the messages; the one that is always empty is left. */
  private void collectSpares(Kring kring, int first, int messages, int room) {
    int slot = first;
    for (int i = 0; i < room; i++) {
      if (i >= messages) {
        long buffer = kring.bufferIndex(slot); // read once: its user may scribble
        if (!pool.isBuffer(buffer)) {
          return;
        }
        spare[spares++] = (int) buffer;
      }
      slot = kring.next(slot);
    }
  }

  private void mend(Kring kring, int slot, int message, long overflow) {
    long named = kring.bufferIndex(slot); // read once: its user may scribble
    if (!pool.isBuffer(named)) {
      kring.drop(DropReason.REFUSED, 1);
      return;
    }
    int buffer = (int) named;
    long data = pool.data(buffer);
    int length = batch.length(message);
    long tag = batch.vlanTag(message);
    int whole = length + (tag == 0 ? 0 : TAG_BYTES);
    header.set(
        batch.headerFlags(message),
        batch.gsoType(message),
        batch.gsoSize(message),
        batch.checksumStart(message),
        batch.checksumOffset(message));
    if (length < 14 || batch.isCut(message) || header.check(length) != null) {
      kring.drop(DropReason.REFUSED, 1);
      spare[spares++] = buffer;
    } else if (whole <= kring.usableBytes() && !header.segments()) {
      complete(data, length);
      tag(data, length, tag);
      emit(buffer, whole, 0);
    } else {
      longFrames = true;
      int usable = kring.usableBytes();
      int inBuffer = Math.min(length, usable);
      Memory.copy(data, copy.address(), inBuffer);
      Memory.copy(overflow, copy.address() + inBuffer, length - inBuffer);
      spare[spares++] = buffer;
      if (!header.segments()) {
        complete(copy.address(), length);
      }
      tag(copy.address(), length, tag);
      if (header.segments()) {
        cut(kring, whole);
      } else {
        chain(kring, whole);
      }
    }
  }

  private void complete(long frame, int length) {
    if (header.needsChecksum()) {
      pieces.clear();
      pieces.add(frame, length);
      pieces.complete(header);
    }
  }

  /** Puts the tag back behind the addresses; there is room for it. */
  private static void tag(long frame, int length, long tag) {
    if (tag != 0) {
      Memory.copy(frame + ADDRESSES, frame + ADDRESSES + TAG_BYTES, length - ADDRESSES);
      Memory.putInt(frame + ADDRESSES, Integer.reverseBytes((int) tag));
    }
  }

  private void chain(Kring kring, int length) {
    int usable = kring.usableBytes();
    int needed = (length + usable - 1) / usable;
    if (needed > spares) {
      kring.drop(DropReason.RING_FULL, 1);
      return;
    }
    for (int at = 0; at < length; at += usable) {
      int part = Math.min(usable, length - at);
      int buffer = spare[--spares];
      Memory.copy(copy.address() + at, pool.data(buffer), part);
      emit(buffer, part, at + part < length ? NetmapAbi.NS_MOREFRAG : 0);
    }
  }

  private void cut(Kring kring, int length) {
    pieces.clear();
    pieces.add(copy.address(), length);
    if (segmenter.begin(pieces, length, header, kring.usableBytes()) != null) {
      kring.drop(DropReason.REFUSED, 1);
      return;
    }
    int segments = segmenter.segments();
    for (int i = 0; i < segments; i++) {
      if (spares == 0) {
        kring.drop(DropReason.RING_FULL, segments - i);
        return;
      }
      int buffer = spare[--spares];
      emit(buffer, segmenter.next(pool.data(buffer)), 0);
    }
  }

  private void emit(int buffer, int length, int slotFlags) {
    buffers[frames] = buffer;
    lengths[frames] = length;
    flags[frames] = slotFlags;
    frames++;
  }

  private void assign(Kring kring, int first) {
    int slot = first;
    for (int i = 0; i < frames; i++) {
      kring.setBufferIndex(slot, buffers[i]);
      kring.setSlot(slot, lengths[i], flags[i]);
      slot = kring.next(slot);
    }
    kring.hwtail = slot;
    for (int i = 0; i < spares; i++) {
      kring.setBufferIndex(slot, spare[i]);
      slot = kring.next(slot);
    }
  }

  @Override
  public void close() {
    copy.close();
  }
}
