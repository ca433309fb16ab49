// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;

/**
 * A name such as <code>base{id</code> (one end) or <code>base}id</code> (the other).
 *
 * @param first whether it is the end with the opening brace, netmap's master
 */
record PipeName(String base, String id, boolean first) {
  /**
   * Takes a name apart at its last brace.
   *
   * @return null when it has none
   * @throws NetmapException EINVAL when something is missing beside the brace
   */
  static @Nullable PipeName parse(String name) throws NetmapException {
    int opening = name.lastIndexOf('{');
    int brace = opening >= 0 ? opening : name.lastIndexOf('}');
    if (brace < 0) {
      return null;
    }
    if (brace == 0 || brace == name.length() - 1) {
      throw new NetmapException(
          name + ": a pipe is called by its base, a brace and its id", Errno.EINVAL);
    }
    return new PipeName(name.substring(0, brace), name.substring(brace + 1), opening >= 0);
  }
}
