// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * The receiving end of a monitor: slots that syncs of monitored rings fill, each in its own thread,
 * and that the monitor's reader empties. Fillers hold the monitored kring's monitor and then this
 * object's; the reader its own kring's and then this object's. So nobody who fills ever waits for a
 * reader at work.
 */
final class MonitorRing {
  private final Kring kring;

  /** The reader's tail at its next sync. */
  private int filled;

  /** First slot that the reader has not given back. */
  private int freed;

  private long lost;

  MonitorRing(Kring kring) {
    this.kring = kring;
    filled = kring.hwtail;
    freed = kring.hwcur;
  }

  Kring kring() {
    return kring;
  }

  /** The reader's sync; its kring's monitor is held. */
  synchronized void sync() {
    freed = kring.rhead;
    kring.hwcur = kring.rhead;
    kring.hwtail = filled;
  }

  synchronized long lost() {
    return lost;
  }

  /**
   * Copies {@code count} slots of a monitored ring, or the last ones when there is no room for all.
   */
  void copy(Kring from, int first, int count) {
    if (fill(from, first, count, true)) {
      kring.notifyUsers();
    }
  }

  /** Exchanges buffers with {@code count} slots, or with the last ones. */
  void swap(Kring from, int first, int count) {
    if (fill(from, first, count, false)) {
      kring.notifyUsers();
    }
  }

  private synchronized boolean fill(Kring from, int first, int count, boolean copies) {
    int room = kring.slots - 1 - kring.distance(freed, filled);
    int taken = Math.min(room, count);
    lost += count - taken;
    int slot = (first + count - taken) % from.slots;
    int direction = from.tx ? NetmapAbi.NS_TXMON : 0;
    for (int i = 0; i < taken; i++) {
      // What a zero-copy monitor passes on keeps the mark that it has.
      int kept = from.adapter instanceof Monitor ? from.flags(slot) : from.flags(slot) & ~MARK;
      if (from.data(slot) != 0) {
        if (copies) {
          copySlot(from, slot, kept | direction);
        } else {
          swapSlot(from, slot, kept | direction);
        }
        filled = kring.next(filled);
      }
      slot = from.next(slot);
    }
    return taken > 0;
  }

  private static final int MARK = NetmapAbi.NS_TXMON;

  private void copySlot(Kring from, int slot, int flags) {
    long to = kring.data(filled);
    int length = Math.min(from.length(slot), Math.min(from.usableBytes(), kring.usableBytes()));
    if (to != 0) {
      Memory.copy(from.data(slot), to, length);
    }
    kring.setSlot(filled, to == 0 ? 0 : length, flags);
  }

  private void swapSlot(Kring from, int slot, int flags) {
    int length = from.length(slot);
    from.setSlot(slot, kring.length(filled), from.flags(slot));
    kring.setSlot(filled, length, flags);
    from.swapBuffers(slot, kring, filled);
  }
}
