// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;

/** One kind of port: knows its names and keeps its adapters. Called under the device's lock. */
@FunctionalInterface
public interface AdapterSource {
  /**
   * The adapter that a request means, with one more reference (a new adapter is born with it).
   *
   * @param create whether to make it when there is none yet
   * @return null when the name is not of this kind
   * @throws NetmapException when it is, and the port can't be had
   */
  @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException;
}
