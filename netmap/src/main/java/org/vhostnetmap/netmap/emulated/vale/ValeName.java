// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;

/**
 * A name such as {@code vale0:vm1}.
 *
 * @param bridge the switch, {@code vale} included
 * @param port the port's own part
 */
record ValeName(String bridge, String port) {
  private static final String PREFIX = "vale";
  private static final int LONGEST = 15;

  /**
   * Takes a name apart.
   *
   * @return null when it is no name of a VALE port at all
   * @throws NetmapException EINVAL when it is a wrong one
   */
  static @Nullable ValeName parse(String name) throws NetmapException {
    if (!name.startsWith(PREFIX)) {
      return null;
    }
    int colon = name.indexOf(':');
    if (colon < 0) {
      // An interface may be called like that.
      return null;
    }
    String bridge = name.substring(0, colon);
    String port = name.substring(colon + 1);
    if (bridge.length() > LONGEST || !bridge.matches("[A-Za-z0-9_]*")) {
      throw new NetmapException(
          bridge + ": a VALE switch is called vale and up to 11 letters, digits, underscores",
          Errno.EINVAL);
    }
    if (port.isEmpty() || port.length() > LONGEST) {
      throw new NetmapException(
          name + ": the port's part of a VALE name has 1 to 15 characters", Errno.EINVAL);
    }
    return new ValeName(bridge, port);
  }

  @Override
  public String toString() {
    return bridge + ":" + port;
  }
}
