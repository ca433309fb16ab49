// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingSync;

/** A netmap receive ring as a source: lends the slots' buffers in place. */
abstract class NetmapSource implements Source {
  private final NetmapRing ring;
  private final RingSync sync;
  private final QueueCounters counters;
  private final int[] slots = new int[Burst.FRAMES]; // that each frame takes

  NetmapSource(NetmapRing ring, RingSync sync, QueueCounters counters) {
    this.ring = ring;
    this.sync = sync;
    this.counters = counters;
  }

  @Override
  public void peek(Burst burst) {
    int space = ring.space();
    if (space < Burst.FRAMES) {
      sync.sync();
      space = ring.space();
    }
    int at = 0;
    while (burst.count < Burst.FRAMES && at < space) {
      int taken = lend(burst, at, space - at);
      if (taken == 0) {
        return;
      }
      slots[burst.count - 1] = taken;
      at += taken;
    }
  }

  /** Lends the frame that begins {@code at} slots after head; 0 when its end has not come yet. */
  private int lend(Burst burst, int at, int space) {
    int first = burst.count == 0 ? 0 : burst.segment[burst.count - 1] + slots[burst.count - 1];
    int length = 0;
    boolean bad = false;
    for (int n = 0; n < space; n++) {
      int slot = ring.after(ring.head(), at + n);
      long buffer = ring.buffer(slot);
      int part = ring.length(slot);
      bad |= buffer == 0 || part == 0 || first + n >= burst.table.segmentAddress.length;
      if (!bad) {
        burst.table.segmentAddress[first + n] = buffer;
        burst.table.segmentLength[first + n] = part;
      }
      length += part;
      if ((ring.flags(slot) & NetmapAbi.NS_MOREFRAG) == 0) {
        finish(burst, first, n + 1, length, bad);
        return n + 1;
      }
    }
    return 0;
  }

  private static void finish(Burst burst, int first, int segments, int length, boolean bad) {
    int i = burst.count++;
    burst.segment[i] = first;
    burst.length[i] = length;
    if (bad) {
      burst.refuse(i, DropReason.HOST_REFUSED);
    } else if (length < Burst.SHORTEST_FRAME) {
      burst.refuse(i, DropReason.TOO_SHORT);
    } else if (length > Burst.LONGEST_FRAME) {
      burst.refuse(i, DropReason.TOO_LONG);
    } else {
      burst.set(i, first, segments, length);
    }
  }

  @Override
  public void count(Burst burst, int count) {
    counters.count(burst, count);
  }

  @Override
  public void advance(Burst burst, int count) {
    int distance = 0;
    for (int i = 0; i < count; i++) {
      distance += slots[i];
    }
    ring.advanceTo(ring.after(ring.head(), distance));
  }
}
