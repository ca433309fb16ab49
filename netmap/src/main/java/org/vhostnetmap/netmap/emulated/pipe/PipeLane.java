// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/// One direction of one ring pair of a pipe: slot k of the sender's TX ring and slot k of the
/// reader's RX ring exchange their buffers when the sender sends, and again when the reader
/// releases.
///
/// ```
///   TX   |  free   | sent: the reader's buffers |  free  |
///                  ^ released+1                 ^ hwcur
///   RX   |         | frames with their buffers  |
///                  ^ hwcur                      ^ published (complete frames only)
/// ```
///
/// The sender alone moves `published`, under its kring's monitor; the reader alone moves
/// `released`, under its own. Each touches only slots that the other one has handed over by these
/// two, so neither needs the other's monitor.
final class PipeLane {
  /** buf_idx, len and flags as one number, the slot's first 8 bytes: where the flags are. */
  private static final int FLAGS_SHIFT = 48;

  private static final long FLAGS = 0xffffL << FLAGS_SHIFT;
  private static final long MORE = (long) NetmapAbi.NS_MOREFRAG << FLAGS_SHIFT;
  private static final long BUFFER_CHANGED = (long) NetmapAbi.NS_BUF_CHANGED << FLAGS_SHIFT;

  private final Kring tx;
  private final Kring rx;

  /** The reader's tail. */
  private volatile int published;

  /** The sender's tail. */
  private volatile int released;

  PipeLane(Kring tx, Kring rx) {
    this.tx = tx;
    this.rx = rx;
    released = tx.slots - 1;
  }

  /** The sender's sync; its monitor is held. */
  void send() {
    tx.hwtail = released;
    int head = tx.rhead;
    int slot = tx.hwcur;
    if (slot == head || rx.ring == 0) {
      return;
    }
    int complete = published;
    while (slot != head) {
      boolean more = hand(slot);
      slot = tx.next(slot);
      if (!more) {
        complete = slot;
      }
    }
    tx.hwcur = head;
    if (complete != published) {
      published = complete;
      rx.notifyUsers();
    }
  }

  /** Gives slot {@code index} to the reader; whether its frame goes on in the next one. */
  private boolean hand(int index) {
    long from = tx.slot(index);
    long to = rx.slot(index);
    long frame = Memory.getLong(from);
    if (tx.data(index) == 0) {
      // A slot without a buffer would be the reader's trouble: it gets an empty one.
      tx.drop(DropReason.NO_BUFFER, 1);
      frame &= FLAGS;
    }
    long pointer = Memory.getLong(from + NetmapAbi.SLOT_PTR);
    Memory.putLong(from, Memory.getLong(to));
    Memory.putLong(to, frame | BUFFER_CHANGED);
    Memory.putLong(to + NetmapAbi.SLOT_PTR, pointer);
    return (frame & MORE) != 0;
  }

  /** The reader's sync; its monitor is held. */
  void receive() {
    rx.hwtail = published;
    int head = rx.rhead;
    if (rx.hwcur == head) {
      return;
    }
    for (int slot = rx.hwcur; slot != head; slot = rx.next(slot)) {
      long theirs = tx.slot(slot);
      long ours = rx.slot(slot);
      long back = Memory.getLong(ours);
      Memory.putLong(ours, Memory.getLong(theirs));
      Memory.putLong(theirs, back);
      Memory.putLong(theirs + NetmapAbi.SLOT_PTR, Memory.getLong(ours + NetmapAbi.SLOT_PTR));
    }
    rx.hwcur = head;
    released = head == 0 ? rx.slots - 1 : head - 1;
    tx.notifyUsers();
  }
}
