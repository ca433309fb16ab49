// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.List;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * What only VALE switches can do; each as in {@link org.vhostnetmap.netmap.NetmapDevice}. Called
 * under the device's lock.
 */
public interface SwitchControl {
  /** VALE_ATTACH. */
  int attach(RegisterRequest request, Ports ports) throws NetmapException;

  /** VALE_DETACH. */
  void detach(String name, Ports ports) throws NetmapException;

  /** VALE_LIST. */
  List<ValePort> list();

  /** PORT_HDR_SET. */
  void setHeaderLength(String name, int bytes, Ports ports) throws NetmapException;
}
