// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;

/** What an emulated device offers to the kinds of ports in it. */
public interface Ports {
  /** The device's lock: all of the control plane. */
  Object lock();

  /** All memories. */
  Pools pools();

  /**
   * Any port by its name, such as the one that a monitor looks at, with one more reference.
   *
   * @throws NetmapException ENXIO when there is none
   */
  Adapter find(RegisterRequest request, boolean create) throws NetmapException;

  /**
   * Rings and slots of a port, looked up anew while nobody uses it.
   *
   * @throws NetmapException when the port can't tell
   */
  Adapter.Config configOf(Adapter adapter) throws NetmapException;

  /** Takes a reference back; the last one ends the adapter and releases its memory. */
  void release(Adapter adapter);

  /**
   * Opens a port for the device's own use, claimed or not: what a VALE switch does to a NIC. Takes
   * over the caller's reference to {@code adapter}, also when this fails; closing the port releases
   * it.
   */
  EmulatedPort open(Adapter adapter, RegisterRequest request) throws NetmapException;
}
