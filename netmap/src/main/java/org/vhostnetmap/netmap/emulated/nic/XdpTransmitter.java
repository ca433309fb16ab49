// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.XdpConsumer;
import org.vhostnetmap.linux.XdpProducer;
import org.vhostnetmap.linux.XdpSocket;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * One TX ring over the transmit and completion rings of a socket. A slot keeps its buffer while the
 * kernel has it, and comes back when it and all before it are sent. Guarded by the kring's monitor.
 */
final class XdpTransmitter {
  /** Calls in a row that sent nothing before we leave the rest for later. */
  private static final int MOST_FRUITLESS = 8;

  private static final int SHORTEST = 14;

  private final XdpSocket socket;
  private final Kring kring;
  private final Buffers buffers;
  private final XdpProducer transmit;
  private final XdpConsumer completion;
  private final boolean zeroCopy;

  /** By slot: the buffer that the kernel has, or 0 once it is sent or was refused. */
  private final int[] given;

  /** The oldest slot that the kernel has; the one after hwtail. */
  private int oldest;

  /** The slots since the last frame that fitted one slot are pieces of one that doesn't. */
  private boolean inChain;

  private int error;

  /** What an earlier socket was given and never sent counts as sent. */
  XdpTransmitter(XdpSocket socket, Kring kring, Pool pool, boolean zeroCopy) {
    this.socket = socket;
    this.kring = kring;
    this.zeroCopy = zeroCopy;
    buffers = new Buffers(pool);
    transmit = socket.transmit();
    completion = socket.completion();
    given = new int[kring.slots];
    oldest = kring.next(kring.hwtail);
  }

  /** Sends what lies before rhead, and moves hwtail over what is sent. */
  void sync() {
    int frames = kring.distance(kring.hwcur, kring.rhead);
    if (frames > 0) {
      submit(frames);
    }
    if (oldest != kring.hwcur) {
      kick(frames > 0);
      reclaim();
    }
  }

  private void submit(int count) {
    int slot = kring.hwcur;
    int entries = 0;
    for (int i = 0; i < count; i++) {
      long word = Memory.getLong(kring.slot(slot));
      long index = word & 0xffffffffL;
      int length = (int) (word >>> 32) & 0xffff;
      if (isSound(index, length, (int) (word >>> 48))) {
        given[slot] = (int) index;
        transmit.putFrame(entries++, buffers.data(index), length);
      } else {
        given[slot] = 0;
        // As netmap_ring_reinit: a bad index becomes the junk buffer's, the length 0.
        Memory.putLong(kring.slot(slot), buffers.has(index) ? index : 0);
      }
      slot = kring.next(slot);
    }
    transmit.publish(entries);
    kring.hwcur = slot;
  }

  private boolean isSound(long index, int length, int flags) {
    boolean continues = (flags & NetmapAbi.NS_MOREFRAG) != 0;
    if (inChain || continues) {
      // Dropped whole, and counted once, with its last slot; that may come with a later sync.
      inChain = continues;
      if (!continues) {
        kring.drop(DropReason.FRAGMENTED, 1);
      }
      return false;
    }
    DropReason reason;
    if (!buffers.has(index)) {
      reason = DropReason.NO_BUFFER;
    } else if (length > buffers.usable()) {
      reason = DropReason.TOO_LONG;
    } else if (length < SHORTEST) {
      reason = DropReason.TOO_SHORT;
    } else {
      return true;
    }
    kring.drop(reason, 1);
    return false;
  }

  /** Has the kernel send: where it copies, it does so within this call and only then. */
  private void kick(boolean fresh) {
    if (zeroCopy && !transmit.needsWakeup()) {
      return;
    }
    if (!fresh && transmit.pending() == 0) {
      return;
    }
    int fruitless = 0;
    int before = transmit.pending();
    while (fruitless < MOST_FRUITLESS) {
      error = socket.wakeTransmit();
      if (error == 0) {
        return;
      }
      if (error == -Errno.EBUSY) {
        kring.drop(DropReason.REFUSED, 1);
      } else if (error != -Errno.EAGAIN && error != -Errno.ENOBUFS && error != -Errno.EINTR) {
        return;
      }
      int now = transmit.pending();
      fruitless = now == before ? fruitless + 1 : 0;
      before = now;
    }
    // The device is busy: whoever sleeps syncs again, and so tries again.
    kring.notifyUsers();
  }

  private void reclaim() {
    int sent = completion.available();
    for (int i = 0; i < sent; i++) {
      int index = buffers.index(completion.address(i));
      if (given[oldest] == index) {
        given[oldest] = 0;
        oldest = kring.next(oldest);
      } else {
        settle(index);
      }
    }
    if (sent > 0) {
      completion.release(sent);
    }
    while (oldest != kring.hwcur && given[oldest] == 0) {
      oldest = kring.next(oldest);
    }
    kring.hwtail = oldest == 0 ? kring.slots - 1 : oldest - 1;
  }

  /** A frame was sent before an older one. */
  private void settle(int index) {
    for (int slot = oldest; slot != kring.hwcur; slot = kring.next(slot)) {
      if (given[slot] == index) {
        given[slot] = 0;
        return;
      }
    }
  }

  /** The last negative error number of the kernel's that was more than "later", or 0. */
  int error() {
    return error;
  }
}
