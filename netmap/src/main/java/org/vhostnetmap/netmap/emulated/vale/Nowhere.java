// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.vhostnetmap.netmap.emulated.DropReason;

/** The outlet of a port that nobody has open. */
final class Nowhere extends Outlet {
  private final Object lock = new Object();

  Nowhere(SwitchPort port) {
    super(port);
  }

  @Override
  Object lock() {
    return lock;
  }

  @Override
  boolean isOpen() {
    return false;
  }

  @Override
  int begin(int wanted) {
    return 0;
  }

  @Override
  int first() {
    return 0;
  }

  @Override
  int next(int slot) {
    return 0;
  }

  @Override
  long data(int slot) {
    return 0;
  }

  @Override
  int usableBytes() {
    return 1;
  }

  @Override
  int longestChain() {
    return 1;
  }

  @Override
  void set(int slot, int length, int flags) {}

  @Override
  void commit(int end) {}

  @Override
  void drop(DropReason reason, long frames) {}

  @Override
  void announce() {}
}
