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
    int skipped = Math.max(0, count - room);
    int slot = (first + skipped) % from.slots;
    // What is left of a frame whose beginning was lost is no frame.
    while (skipped > 0 && skipped < count && goesOn(from, slot)) {
      slot = from.next(slot);
      skipped++;
    }
    lost += skipped;
    // What a zero-copy monitor passes on keeps the mark that it has.
    int kept = from.adapter instanceof Monitor ? ~0 : ~NetmapAbi.NS_TXMON;
    int mark = from.tx ? NetmapAbi.NS_TXMON : 0;
    boolean news = false;
    for (int i = skipped; i < count; i++) {
      // The address is computed once: the slot is the user's to scribble on.
      long data = from.data(slot);
      if (data != 0) {
        int flags = (from.flags(slot) & kept) | mark;
        if (copies) {
          copySlot(from, slot, data, flags);
        } else {
          swapSlot(from, slot, flags);
        }
        filled = kring.next(filled);
        news = true;
      }
      slot = from.next(slot);
    }
    return news;
  }

  /** Whether {@code slot} holds more of the frame of the slot before it. */
  private static boolean goesOn(Kring from, int slot) {
    int before = slot == 0 ? from.slots - 1 : slot - 1;
    return (from.flags(before) & NetmapAbi.NS_MOREFRAG) != 0;
  }

  private void copySlot(Kring from, int slot, long data, int flags) {
    long to = kring.data(filled);
    int length = Math.min(from.length(slot), Math.min(from.usableBytes(), kring.usableBytes()));
    if (to != 0) {
      Memory.copy(data, to, length);
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
