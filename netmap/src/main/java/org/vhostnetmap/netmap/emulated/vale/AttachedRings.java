// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.List;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * The rings of a NIC, or of its host stack, in a switch: what comes in through the RX rings goes
 * into the switch, what the switch has for it goes into the TX rings. To the port it is just a user
 * of netmap. The RX side belongs to one thread; the TX side has a lock, for senders take turns
 * there.
 */
final class AttachedRings {
  private final AttachedSide place;
  private final ValeSwitch bridge;
  private final EmulatedPort port;
  private final List<NetmapRing> rx;
  private final Batch[] batches;
  private final Ring[] outlets;
  private final int longestChain;
  private final Object txLock = new Object();
  private boolean open = true;

  /**
   * Borrows the port.
   *
   * @param firstTx number of the first of its TX rings among all of the adapter's
   * @param firstRx likewise
   */
  AttachedRings(
      AttachedSide place,
      ValeSwitch bridge,
      EmulatedPort port,
      List<NetmapRing> tx,
      List<NetmapRing> rx,
      int firstTx,
      int firstRx) {
    this.place = place;
    this.bridge = bridge;
    this.port = port;
    this.rx = rx;
    longestChain = port.longestChain();
    Kring[] txKrings = port.adapter().txKrings();
    Kring[] rxKrings = port.adapter().rxKrings();
    outlets = new Ring[tx.size()];
    for (int i = 0; i < outlets.length; i++) {
      outlets[i] = new Ring(tx.get(i), txKrings[firstTx + i]);
    }
    batches = new Batch[rx.size()];
    for (int i = 0; i < batches.length; i++) {
      NetmapRing ring = rx.get(i);
      Kring kring = rxKrings[firstRx + i];
      batches[i] =
          new Batch(place, i, ring.slots(), ring.bufferBytes(), (why, n) -> count(kring, why, n));
    }
  }

  private static void count(Kring kring, DropReason reason, long frames) {
    synchronized (kring) {
      kring.drop(reason, frames);
    }
  }

  AttachedSide place() {
    return place;
  }

  EmulatedPort port() {
    return port;
  }

  int outlets() {
    return outlets.length;
  }

  Outlet outlet(int ring) {
    return outlets[ring];
  }

  /** Takes no frame from the switch any more. Waits for a sender that is at it. */
  void shut() {
    synchronized (txLock) {
      open = false;
    }
  }

  /**
   * Moves what has come into the switch, and what is stuck out of it.
   *
   * @return slots that came
   */
  int pump() {
    synchronized (txLock) {
      port.txSync();
    }
    port.rxSync();
    int moved = 0;
    for (int i = 0; i < batches.length; i++) {
      moved += pump(rx.get(i), batches[i]);
    }
    if (moved > 0) {
      port.rxSync();
    }
    return moved;
  }

  private int pump(NetmapRing ring, Batch batch) {
    int tail = ring.tail();
    int moved = 0;
    boolean broken = false;
    for (int slot = ring.head(); slot != tail; slot = ring.after(slot, 1)) {
      long data = ring.buffer(slot);
      if (data != 0) {
        batch.addPiece(data, ring.length(slot));
      } else {
        broken = true;
      }
      moved++;
      if ((ring.flags(slot) & NetmapAbi.NS_MOREFRAG) == 0) {
        end(batch, broken);
        broken = false;
      }
    }
    if (broken || batch.hasOpenFrame()) {
      end(batch, broken);
    }
    batch.forward(bridge);
    ring.advanceTo(tail);
    return moved;
  }

  private void end(Batch batch, boolean broken) {
    if (broken) {
      batch.dropFrame(DropReason.NO_BUFFER);
    } else {
      batch.endFrame();
    }
    if (batch.isFull()) {
      batch.forward(bridge);
    }
  }

  /** One TX ring. */
  private final class Ring extends Outlet {
    private final NetmapRing ring;
    private final Kring kring;

    Ring(NetmapRing ring, Kring kring) {
      super(place);
      this.ring = ring;
      this.kring = kring;
    }

    @Override
    Object lock() {
      return txLock;
    }

    @Override
    boolean isOpen() {
      return open;
    }

    @Override
    int begin(int wanted) {
      int space = ring.space();
      if (space < wanted) {
        // Some that were sent may be free by now.
        port.txSync();
        space = ring.space();
      }
      return space;
    }

    @Override
    int first() {
      return ring.head();
    }

    @Override
    int next(int slot) {
      return ring.after(slot, 1);
    }

    @Override
    long data(int slot) {
      return ring.buffer(slot);
    }

    @Override
    int usableBytes() {
      return ring.bufferBytes();
    }

    @Override
    int longestChain() {
      return longestChain;
    }

    @Override
    void set(int slot, int length, int flags) {
      ring.set(slot, length, flags & NetmapAbi.NS_MOREFRAG);
    }

    @Override
    void commit(int end) {
      ring.advanceTo(end);
      port.txSync();
    }

    @Override
    void drop(DropReason reason, long frames) {
      count(kring, reason, frames);
    }

    @Override
    void announce() {}
  }
}
