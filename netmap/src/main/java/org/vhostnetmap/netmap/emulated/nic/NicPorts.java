// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.AdapterSource;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.Pools;
import org.vhostnetmap.netmap.emulated.Ports;

/** NICs: ports that are called like a network device of the host. */
public final class NicPorts implements AdapterSource {
  private static final int LONGEST_NAME = 15;

  private final Map<String, NicAdapter> adapters = new HashMap<>();
  private final List<NicQueues.Factory> ways;
  private final HostRings.Factory host;

  /**
   * NICs that are served as told.
   *
   * @param ways how queues may be served, best first
   */
  public NicPorts(List<NicQueues.Factory> ways, HostRings.Factory host) {
    this.ways = List.copyOf(ways);
    this.host = host;
  }

  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    String name = request.name();
    NicAdapter adapter = adapters.get(name);
    if (adapter == null) {
      // A NIC is there or not, nobody creates it; so "create" is not asked.
      return exists(name) ? make(request, ports) : null;
    }
    String failure = adapter.failure();
    if (failure != null) {
      throw new NetmapException(
          name + " failed while open and was not closed since: " + failure, Errno.ENXIO);
    }
    if (request.memoryId() != 0 && request.memoryId() != adapter.memory().id()) {
      throw new NetmapException(
          name + " is open in netmap memory " + adapter.memory().id(), Errno.EINVAL);
    }
    adapter.hold();
    return adapter;
  }

  private static boolean exists(String name) throws NetmapException {
    // The kernel would cut off what follows a colon, and find the device before it.
    if (name.length() > LONGEST_NAME || name.indexOf(':') >= 0) {
      return false;
    }
    try {
      NetDevice.of(name);
      return true;
    } catch (ErrnoException e) {
      if (e.errno() == Errno.ENODEV) {
        return false;
      }
      throw new NetmapException("look for " + name, e.errno(), e);
    }
  }

  private NicAdapter make(RegisterRequest request, Ports ports) throws NetmapException {
    Pools pools = ports.pools();
    Pool memory = request.memoryId() == 0 ? pools.global() : pools.find(request.memoryId());
    String name = request.name();
    NicAdapter made =
        new NicAdapter(name, memory, request, ways, host, () -> adapters.remove(name));
    adapters.put(name, made);
    return made;
  }
}
