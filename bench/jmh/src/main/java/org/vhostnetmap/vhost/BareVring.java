// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import org.vhostnetmap.virtqueue.Virtqueue;

/** A ring that runs without a front-end. */
public final class BareVring {
  private BareVring() {}

  /** Neither kicked nor called; a fault is an error. */
  public static Vring of(int index, Virtqueue queue) {
    var signals = new Signals(what -> {});
    return new Vring(
        index,
        queue,
        null,
        null,
        signals,
        (ring, fault) -> {
          throw new IllegalStateException(fault);
        });
  }
}
