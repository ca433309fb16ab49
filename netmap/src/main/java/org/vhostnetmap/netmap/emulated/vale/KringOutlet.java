// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/** A port's RX ring, filled straight from the sender's buffers. Its lock is the kring's monitor. */
final class KringOutlet extends Outlet {
  private final Kring kring;
  private boolean open;

  KringOutlet(SwitchPort port, Kring kring) {
    super(port);
    this.kring = kring;
  }

  /** From now on frames go in, or don't. Waits for a sender that is at it. */
  void setOpen(boolean value) {
    synchronized (kring) {
      open = value;
    }
  }

  @Override
  Object lock() {
    return kring;
  }

  @Override
  boolean isOpen() {
    return open;
  }

  @Override
  int begin(int wanted) {
    return kring.room();
  }

  @Override
  int first() {
    return kring.hwtail;
  }

  @Override
  int next(int slot) {
    return kring.next(slot);
  }

  @Override
  long data(int slot) {
    return kring.data(slot);
  }

  @Override
  int usableBytes() {
    return kring.usableBytes();
  }

  @Override
  int longestChain() {
    return Integer.MAX_VALUE;
  }

  @Override
  void set(int slot, int length, int flags) {
    kring.setSlot(slot, length, flags);
  }

  @Override
  void commit(int end) {
    kring.hwtail = end;
  }

  @Override
  void drop(DropReason reason, long frames) {
    kring.drop(reason, frames);
  }

  @Override
  void announce() {
    kring.notifyUsers();
  }
}
