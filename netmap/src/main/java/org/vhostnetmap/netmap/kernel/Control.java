// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.List;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * Asks the kernel, in one of its two languages. Each method needs an open device; only {@link
 * #register} leaves something bound to it.
 */
interface Control {
  /** The ioctl that carries the requests, for people. */
  String language();

  Registered register(int fd, RegisterRequest request) throws NetmapException;

  PortInfo portInfo(int fd, String name, int memoryId) throws NetmapException;

  int attach(int fd, RegisterRequest request) throws NetmapException;

  void detach(int fd, String name) throws NetmapException;

  List<ValePort> valePorts(int fd) throws NetmapException;

  void setHeaderLength(int fd, String name, int bytes) throws NetmapException;

  int headerLength(int fd, String name) throws NetmapException;

  void createInterface(int fd, RegisterRequest request) throws NetmapException;

  void deleteInterface(int fd, String name) throws NetmapException;

  MemoryPools pools(int fd, String name) throws NetmapException;
}
