// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingSync;

/** A netmap transmit ring as a sink: copies each frame into as many slots as it takes. */
final class NetmapSink implements Sink {
  private final NetmapRing ring;
  private final RingSync sync;
  private final QueueCounters counters;
  private final FrameCursor cursor = new FrameCursor();
  private boolean dirty;

  NetmapSink(NetmapRing ring, RingSync sync, QueueCounters counters) {
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
    return fill(burst, frames, space);
  }

  private long fill(Burst burst, long frames, int space) {
    int bufferBytes = ring.bufferBytes();
    int slot = ring.head();
    int room = space;
    long left = frames;
    int delivered = 0;
    long bytes = 0;
    while (left != 0) {
      int i = Long.numberOfTrailingZeros(left);
      int length = burst.length[i];
      int needed = length <= bufferBytes ? 1 : (length + bufferBytes - 1) / bufferBytes;
      if (needed > room && needed < ring.slots()) {
        break;
      }
      if (needed <= room && spread(burst, i, slot, length)) {
        slot = ring.after(slot, needed);
        room -= needed;
        delivered++;
        bytes += length;
      } else {
        counters.drop(needed > room ? DropReason.TOO_LONG : DropReason.HOST_REFUSED, 1);
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

  @Override
  public synchronized void drop(DropReason reason, long count) {
    counters.drop(reason, count);
  }

  @Override
  public DropReason fullReason() {
    return DropReason.QUEUE_FULL;
  }

  @Override
  public synchronized void flush() {
    if (dirty) {
      dirty = false;
      sync.sync();
    }
  }
}
