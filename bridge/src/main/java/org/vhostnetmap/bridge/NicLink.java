// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.LinkEvent;
import org.vhostnetmap.linux.NetDevice;

/**
 * The host's network device behind a netmap port, as it was when its rings were taken, and as it is
 * now. Another device of the same name is not this one. Control thread.
 */
final class NicLink {
  private final String name;
  private final NetDevice device;
  private final boolean host;
  private boolean usable = true;
  private int mtu;

  /**
   * The device that has this name now.
   *
   * @param host whether only the host's side of it is used, which needs no carrier
   * @throws ErrnoException ENODEV when there is none
   */
  NicLink(String name, boolean host) throws ErrnoException {
    this.name = name;
    this.host = host;
    device = NetDevice.of(name);
    look();
  }

  /**
   * Reads its state anew.
   *
   * @return why it can't be used any more, or empty
   */
  String look() {
    try {
      String now = device.name();
      if (!now.equals(name)) {
        return "the interface " + name + " was renamed to " + now;
      }
      usable = device.isUp() && (host || device.isRunning());
      mtu = device.mtu();
      return "";
    } catch (ErrnoException problem) {
      return problem.errno() == Errno.ENODEV || problem.errno() == Errno.ENXIO
          ? "the interface " + name + " is gone"
          : "the interface " + name + " can't be looked at: " + problem.getMessage();
    }
  }

  /** Whether an event is about this device, or about one that has its name. */
  boolean concerns(LinkEvent event) {
    return event.index() == device.index() || event.name().equals(name);
  }

  /** Whether it is up and, for the wire's side, has a carrier. */
  boolean isUsable() {
    return usable;
  }

  /** Largest payload in bytes. */
  int mtu() {
    return mtu;
  }
}
