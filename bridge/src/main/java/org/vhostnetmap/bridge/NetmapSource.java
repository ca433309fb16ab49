// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingSync;
import org.vhostnetmap.vhost.NetHeader;

/**
 * Netmap receive rings as a source: lends the slots' buffers in place. Of several rings, which are
 * synced together, one lends until all it lent is consumed; then it is the next one's turn.
 */
abstract class NetmapSource implements Source {
  private final NetmapRing[] rings;
  private final RingSync sync;
  private final QueueCounters counters;
  private final int headerBytes;
  private final OffloadCapture capture = new OffloadCapture(Offload.ALL);
  private final int[] slots = new int[Burst.FRAMES]; // that each frame takes
  private final int[] unfinished; // slots of each ring that held no whole frame
  private NetmapRing ring; // whose turn it is
  private int turn;

  NetmapSource(NetmapRing ring, RingSync sync, QueueCounters counters) {
    this(List.of(ring), sync, counters);
  }

  NetmapSource(List<NetmapRing> rings, RingSync sync, QueueCounters counters) {
    this(rings, sync, counters, 0);
  }

  /**
   * A source over rings.
   *
   * @param headerBytes of the virtio-net header before each frame, or 0 for none
   */
  NetmapSource(List<NetmapRing> rings, RingSync sync, QueueCounters counters, int headerBytes) {
    this.headerBytes = headerBytes;
    this.rings = rings.toArray(new NetmapRing[0]);
    this.ring = rings.getFirst();
    this.unfinished = new int[rings.size()];
    this.sync = sync;
    this.counters = counters;
  }

  @Override
  public void peek(Burst burst) {
    if (ring.space() < Burst.FRAMES) {
      sync.sync();
    }
    lendFrom(burst);
    for (int others = rings.length - 1; burst.count == 0 && others > 0; others--) {
      takeTurns();
      lendFrom(burst);
    }
  }

  /** A frame whose end has not come stays where it is; its ring has no news until more comes. */
  private void lendFrom(Burst burst) {
    int space = ring.space();
    burst.lender = ring;
    int at = 0;
    int taken = -1;
    while (taken != 0 && burst.count < Burst.FRAMES && at < space) {
      taken = lend(burst, at, space - at);
      if (taken > 0) {
        slots[burst.count - 1] = taken;
        at += taken;
      }
    }
    unfinished[turn] = burst.count == 0 ? space : 0;
  }

  /**
   * Lends the frame that begins {@code at} slots after head; 0 when its end has not come yet, or
   * the table has no room for it behind others. A frame that fills the whole ring has no end that
   * could still come.
   */
  private int lend(Burst burst, int at, int space) {
    int first = burst.count == 0 ? 0 : burst.segment[burst.count - 1] + segments(burst);
    int room = burst.table.segmentAddress.length - first;
    long length = 0;
    boolean bad = false;
    for (int n = 0; n < space; n++) {
      int slot = ring.after(ring.head(), at + n);
      long buffer = ring.buffer(slot);
      int part = ring.length(slot);
      length += part;
      bad |= buffer == 0 || part == 0;
      if (n < room) {
        burst.table.segmentAddress[first + n] = buffer;
        burst.table.segmentLength[first + n] = part;
      } else if (burst.count > 0) {
        return 0;
      }
      boolean last = (ring.flags(slot) & NetmapAbi.NS_MOREFRAG) == 0;
      if (last || n == ring.slots() - 2) {
        finish(burst, ring.after(ring.head(), at), first, n + 1, length, bad || !last || n >= room);
        return n + 1;
      }
    }
    return 0;
  }

  /** Segments that the last frame takes in the table; one that is refused takes none. */
  private int segments(Burst burst) {
    int last = burst.count - 1;
    return (burst.valid >>> last & 1) == 0 ? 0 : slots[last];
  }

  private void finish(Burst burst, int slot, int first, int segments, long bytes, boolean bad) {
    long length = bytes - headerBytes;
    int i = burst.count++;
    burst.segment[i] = first;
    burst.slot[i] = slot;
    burst.length[i] = Math.clamp(length, 0, Integer.MAX_VALUE);
    if (bad) {
      burst.refuse(i, DropReason.HOST_REFUSED);
    } else if (length < Burst.SHORTEST_FRAME) {
      burst.refuse(i, DropReason.TOO_SHORT);
    } else if (length > Burst.LONGEST_FRAME) {
      burst.refuse(i, DropReason.TOO_LONG);
    } else if (headerBytes > 0) {
      strip(burst, i, first, segments, (int) length);
    } else {
      burst.set(i, first, segments, (int) length);
    }
  }

  /** The header lies wholly in the first slot, which may hold nothing else: netmap's rule. */
  private void strip(Burst burst, int i, int first, int segments, int length) {
    int inFirst = burst.table.segmentLength[first];
    if (inFirst < headerBytes) {
      burst.refuse(i, DropReason.HOST_REFUSED);
      return;
    }
    long header = burst.table.segmentAddress[first];
    long fields = Memory.getLong(header); // read once: its writer may change them meanwhile
    int skipped = inFirst == headerBytes ? 1 : 0;
    burst.table.segmentAddress[first] = header + headerBytes;
    burst.table.segmentLength[first] = inFirst - headerBytes;
    burst.set(i, first + skipped, segments - skipped, length);
    if ((fields & Offload.ASKS) != 0) {
      capture.take(burst, i, fields, Memory.getUnsignedShort(header + NetHeader.CSUM_OFFSET));
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
    if (count == burst.count && rings.length > 1) {
      takeTurns();
    }
  }

  private void takeTurns() {
    turn = turn + 1 == rings.length ? 0 : turn + 1;
    ring = rings[turn];
  }

  /** Whether more is there, without a sync, than beginnings of frames that were seen already. */
  final boolean hasNews() {
    for (int r = 0; r < rings.length; r++) {
      if (rings[r].space() > unfinished[r]) {
        return true;
      }
    }
    return false;
  }

  /** Whether the ring that lends is no more than half full. */
  final boolean hasRoom() {
    return ring.space() <= ring.slots() / 2;
  }
}
