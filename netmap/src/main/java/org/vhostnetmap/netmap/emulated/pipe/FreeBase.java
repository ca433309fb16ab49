// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * What pipes hang on whose base is no port: nothing but a name and a memory. Where netmap makes a
 * persistent port of that name, here nobody can open it.
 */
final class FreeBase extends Adapter {
  private final Config config;
  private final Runnable ended;

  FreeBase(String name, Pool memory, Config config, Runnable ended) {
    super(name, memory);
    this.config = config;
    this.ended = ended;
  }

  @Override
  protected Config config() {
    return config;
  }

  @Override
  protected void register(boolean on) throws NetmapException {
    throw new NetmapException(name() + " is only a base of pipes", Errno.ENXIO);
  }

  @Override
  protected void txSync(Kring kring) {}

  @Override
  protected void rxSync(Kring kring) {}

  @Override
  protected void destroy() {
    ended.run();
  }
}
