// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** Ports without rings, of any name: a way into a memory that exists, for its extra buffers. */
final class NullPorts implements AdapterSource {
  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    if (request.mode() != PortMode.NULL) {
      return null;
    }
    if (request.memoryId() == 0) {
      throw new NetmapException("a port without rings needs the id of a memory", Errno.EINVAL);
    }
    return new NullAdapter(request.name(), ports.pools().find(request.memoryId()));
  }

  private static final class NullAdapter extends Adapter {
    NullAdapter(String name, Pool memory) {
      super(name, memory);
    }

    @Override
    protected Config config() {
      return new Config(0, 0, 0, 0, 0, 0);
    }

    @Override
    protected void register(boolean on) {}

    @Override
    protected void txSync(Kring kring) {}

    @Override
    protected void rxSync(Kring kring) {}
  }
}
