// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.List;

/**
 * A netmap: the kernel's behind {@code /dev/netmap}, or the emulated one in this process. Same
 * names, same memory layout, same rules. Thread-safe; control plane.
 */
public interface NetmapDevice extends AutoCloseable {
  /** One port of a VALE switch: VALE_LIST. */
  record ValePort(String name, int bridgeIndex, int portIndex) {}

  /** Which netmap this is, for people: such as {@code the kernel's netmap}. */
  String description();

  /**
   * Opens a port: NIOCCTRL REGISTER.
   *
   * @throws NetmapException ENXIO for an unknown port, EBUSY for rings that are in use exclusively,
   *     EINVAL for a wish that can't be met, ENOMEM, ...
   */
  NetmapPort register(RegisterRequest request) throws NetmapException;

  /** What a port is like, without keeping it open: PORT_INFO_GET. */
  PortInfo info(String name, int memoryId) throws NetmapException;

  /**
   * Plugs a NIC, or a persistent port, into a VALE switch: VALE_ATTACH. {@code name} is {@code
   * vale0:eth0}; mode NIC_AND_HOST plugs its host rings as well, as {@code vale0:eth0^}.
   *
   * @return the port's index in the switch
   */
  int attach(RegisterRequest request) throws NetmapException;

  /** Unplugs what {@link #attach} plugged: VALE_DETACH. */
  void detach(String name) throws NetmapException;

  /** All ports of all switches: VALE_LIST. */
  List<ValePort> valePorts() throws NetmapException;

  /**
   * Sets the length of the virtio-net header in front of each frame of an open VALE port: 0, 10 or
   * 12 bytes. Later opens need {@link NetmapAbi#NR_ACCEPT_VNET_HDR}. PORT_HDR_SET.
   */
  void setHeaderLength(String name, int bytes) throws NetmapException;

  /** The length of the virtio-net header of a port: PORT_HDR_GET. */
  int headerLength(String name) throws NetmapException;

  /** Lets go of the device; open ports stay usable until they are closed. */
  @Override
  void close();
}
