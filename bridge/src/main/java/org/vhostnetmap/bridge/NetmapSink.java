// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingSync;

/**
 * A netmap transmit ring as a sink: copies each frame into as many slots as it takes. A frame that
 * lies in a slot of the same memory, and is nobody else's any more, moves by exchanging the two
 * slots' buffers. What a frame's sender left undone is done on the way into the slots.
 */
final class NetmapSink implements Sink {
  private final NetmapRing ring;
  private final RingSync sync;
  private final QueueCounters counters;
  private final int longest; // slots of a frame
  private final int headerBytes;
  private final FrameCursor cursor = new FrameCursor();
  private final SlotOffload offload;
  private boolean dirty;

  NetmapSink(NetmapRing ring, RingSync sync, QueueCounters counters) {
    this(ring, sync, counters, Integer.MAX_VALUE);
  }

  NetmapSink(NetmapRing ring, RingSync sync, QueueCounters counters, int longest) {
    this(ring, sync, counters, longest, 0);
  }

  /**
   * A sink over a ring.
   *
   * @param longest slots that whoever drains the ring takes for one frame; most NICs take 1
   * @param headerBytes of the virtio-net header that goes before each frame, or 0 for none
   */
  NetmapSink(NetmapRing ring, RingSync sync, QueueCounters counters, int longest, int headerBytes) {
    this.longest = Math.min(longest, ring.slots() - 1);
    this.headerBytes = headerBytes;
    this.offload = new SlotOffload(ring, sync, counters, this.longest, headerBytes);
    this.ring = ring;
    this.sync = sync;
    this.counters = counters;
  }

  @Override
  public synchronized long offer(Burst burst, long frames) {
    int space = ring.space();
    if (space < ring.slots() / 2) {
      sync.sync();
      space = ring.space();
    }
    boolean plain = headerBytes == 0 && (frames & burst.offloads) == 0;
    return plain ? fillAll(burst, frames, space) : fillMixed(burst, frames);
  }

  /** Syncs once more for what finds no room: a small ring may be drained at once. */
  private long fillAll(Burst burst, long frames, int space) {
    long left = fill(burst, frames, space);
    if (left != 0 && left != frames) {
      sync.sync();
      left = fill(burst, left, ring.space());
    }
    return left;
  }

  /** Runs of frames that ask for nothing, and between them those that are work for us. */
  private long fillMixed(Burst burst, long frames) {
    long special = offload.special(burst);
    long left = frames;
    while (left != 0) {
      long front = Offload.front(left, special);
      boolean plain = (front & special) == 0;
      long rest = plain ? fillAll(burst, front, ring.space()) : offload.write(burst, front);
      dirty = true;
      left = (left & ~front) | rest;
      if (rest != 0) {
        break;
      }
    }
    return left;
  }

  private long fill(Burst burst, long frames, int space) {
    int bufferBytes = ring.bufferBytes();
    NetmapRing lender = burst.lender;
    boolean sameMemory = lender != null && lender.sharesBuffersWith(ring);
    long movable = sameMemory ? burst.movable : 0;
    int slot = ring.head();
    int room = space;
    long left = frames;
    int delivered = 0;
    long bytes = 0;
    while (left != 0) {
      int i = Long.numberOfTrailingZeros(left);
      int length = burst.length[i];
      int needed = length <= bufferBytes ? 1 : (length + bufferBytes - 1) / bufferBytes;
      if (needed > room && needed <= longest) {
        break;
      }
      boolean moves = needed == 1 && (movable >>> i & 1) != 0;
      boolean fits = needed <= longest;
      if (fits && ((moves && swap(burst, i, slot)) || spread(burst, i, slot, length))) {
        slot = ring.after(slot, needed);
        room -= needed;
        delivered++;
        bytes += length;
      } else {
        counters.drop(fits ? DropReason.HOST_REFUSED : DropReason.TOO_LONG, 1);
        burst.taken |= 1L << i;
      }
      left &= left - 1;
    }
    if (delivered > 0) {
      ring.advanceTo(slot);
      dirty = true;
      counters.frames += delivered;
      counters.bytes += bytes;
      burst.taken |= frames & ~left;
    }
    return left;
  }

  /**
   * Takes the frame's buffer for one of ours; false when it has to be copied all the same: it takes
   * several slots, or somebody scribbled over one of the two.
   */
  private boolean swap(Burst burst, int i, int slot) {
    NetmapRing lender = burst.lender;
    int from = burst.slot[i];
    if (lender == null
        || burst.segments[i] != 1
        || lender.buffer(from) != burst.address[i]
        || ring.buffer(slot) == 0) {
      return false;
    }
    ring.set(slot, burst.length[i], 0);
    ring.swap(slot, lender, from);
    counters.moved++;
    return true;
  }

  /**
   * Fills as many slots as a frame takes; false when one of them names no buffer, because somebody
   * scribbled over it.
   */
  private boolean spread(Burst burst, int i, int firstSlot, int length) {
    if (length <= ring.bufferBytes()) {
      long buffer = ring.buffer(firstSlot);
      if (buffer != 0) {
        burst.copyTo(i, buffer);
        ring.set(firstSlot, length, 0);
      }
      return buffer != 0;
    }
    cursor.start(burst, i);
    int slot = firstSlot;
    for (int left = length; left > 0; slot = ring.after(slot, 1)) {
      int part = Math.min(left, ring.bufferBytes());
      long buffer = ring.buffer(slot);
      if (buffer == 0) {
        return false;
      }
      cursor.copy(burst, buffer, part);
      left -= part;
      ring.set(slot, part, left > 0 ? NetmapAbi.NS_MOREFRAG : 0);
    }
    return true;
  }

  /**
   * Syncs when frames are still on their way: a device that was busy is shown them again, and what
   * is sent is reclaimed.
   *
   * @return whether some still are
   */
  synchronized boolean settle() {
    if (ring.space() < ring.slots() - 1) {
      sync.sync();
    }
    return ring.space() < ring.slots() - 1;
  }

  @Override
  public synchronized void drop(DropReason reason, Burst burst, long frames) {
    counters.drop(reason, Long.bitCount(frames));
  }

  @Override
  public DropReason fullReason() {
    return DropReason.QUEUE_FULL;
  }

  @Override
  public synchronized long flush() {
    if (dirty) {
      dirty = false;
      sync.sync();
    }
    return NOTHING_HELD;
  }
}
