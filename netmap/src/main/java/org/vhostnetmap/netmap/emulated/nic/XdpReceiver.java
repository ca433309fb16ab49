// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.XdpConsumer;
import org.vhostnetmap.linux.XdpProducer;
import org.vhostnetmap.linux.XdpSocket;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * One RX ring over the fill and receive rings of a socket, by exchange of buffers. Every slot that
 * is not the user's stands for a chunk that the kernel has; which one is remembered here, because
 * what stands in the ring's memory may have been scribbled over. Guarded by the kring's monitor.
 */
final class XdpReceiver {
  private final XdpSocket socket;
  private final Kring kring;
  private final Buffers buffers;
  private final XdpProducer fill;
  private final XdpConsumer receive;
  private final boolean zeroCopy;
  private final boolean completesChecksums;

  /** By slot: the buffer that the kernel has for it, or 0. */
  private final int[] given;

  /** Gives the buffers of all slots that are not the user's to the kernel. */
  XdpReceiver(
      XdpSocket socket, Kring kring, Pool pool, boolean zeroCopy, boolean completesChecksums) {
    this.socket = socket;
    this.kring = kring;
    this.zeroCopy = zeroCopy;
    this.completesChecksums = completesChecksums;
    buffers = new Buffers(pool);
    fill = socket.fill();
    receive = socket.receive();
    given = new int[kring.slots];
    give(kring.hwtail, kring.slots - kring.distance(kring.hwcur, kring.hwtail));
  }

  /** Gives back what the user released, and moves hwtail over what came. */
  void sync() {
    int released = kring.distance(kring.hwcur, kring.rhead);
    if (released > 0) {
      give(kring.hwcur, released);
      kring.hwcur = kring.rhead;
    }
    int space = kring.slots - 1 - kring.distance(kring.hwcur, kring.hwtail);
    int frames = Math.min(receive.available(), space);
    if (frames > 0) {
      take(frames);
    }
    // A driver that found the fill ring empty may have gone to sleep after our last look, and then
    // nothing comes that would be released. Where the kernel copies, nobody sleeps.
    if (zeroCopy && (released > 0 || frames == 0) && fill.needsWakeup()) {
      socket.wakeReceive();
    }
  }

  private void give(int from, int count) {
    int slot = from;
    int entries = 0;
    for (int i = 0; i < count; i++) {
      long address = kring.slot(slot);
      long index = Memory.getUnsignedInt(address + NetmapAbi.SLOT_BUF_IDX);
      if (buffers.has(index)) {
        given[slot] = (int) index;
        fill.putAddress(entries++, buffers.chunk(index));
      } else {
        // As netmap_ring_reinit: the slot has the junk buffer now, until its user gives another.
        given[slot] = 0;
        Memory.putLong(address, 0);
      }
      slot = kring.next(slot);
    }
    fill.publish(entries);
  }

  private void take(int frames) {
    int slot = kring.hwtail;
    for (int i = 0; i < frames; i++) {
      long address = receive.address(i);
      int length = receive.length(i);
      int index = buffers.index(address);
      if (given[slot] != index && !exchange(slot, index)) {
        // There is no way that this could be: nobody else fills this socket's ring.
        continue;
      }
      long data = buffers.dataAt(address, length);
      if (completesChecksums) {
        PartialChecksum.complete(data, length);
      }
      Memory.putLong(kring.slot(slot), index | (long) length << 32);
      slot = kring.next(slot);
    }
    receive.release(frames);
    kring.hwtail = slot;
  }

  /**
   * The kernel need not keep the order: it recycles a buffer whose frame it dropped or passed to
   * the host. The buffer is then that of another slot of the kernel's, nearly always the next.
   */
  private boolean exchange(int slot, int index) {
    for (int other = kring.next(slot); other != kring.hwcur; other = kring.next(other)) {
      if (given[other] == index) {
        given[other] = given[slot];
        given[slot] = index;
        Memory.putInt(kring.slot(other) + NetmapAbi.SLOT_BUF_IDX, given[other]);
        return true;
      }
    }
    return false;
  }

  /** After the socket is closed: the kernel's slots name the buffers that it had. */
  void close() {
    int slot = kring.hwtail;
    do {
      Memory.putLong(kring.slot(slot), given[slot]);
      slot = kring.next(slot);
    } while (slot != kring.hwcur);
  }
}
