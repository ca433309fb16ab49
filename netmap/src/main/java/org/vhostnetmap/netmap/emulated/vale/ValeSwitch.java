// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;

/**
 * One switch: its ports and what it learned. Ports come and go under the device's lock; senders
 * read the table without one.
 */
final class ValeSwitch {
  private final String name;
  private final LearningTable learned = new LearningTable();
  private volatile PortTable ports = PortTable.EMPTY;

  ValeSwitch(String name) {
    this.name = name;
  }

  String name() {
    return name;
  }

  LearningTable learned() {
    return learned;
  }

  PortTable ports() {
    return ports;
  }

  /** Takes a port in, under the lowest free number. */
  void join(SwitchPort port) throws NetmapException {
    int index = ports.freeIndex();
    if (index < 0) {
      throw new NetmapException(
          name + " has all its " + PortTable.MOST_PORTS + " ports", Errno.ENOMEM);
    }
    port.index = index;
    ports = ports.with(port);
  }

  /** Lets a port go. A sender may have it in hand still: its outlets are closed already. */
  void leave(SwitchPort port) {
    ports = ports.without(port);
    learned.forget(port.index);
  }
}
