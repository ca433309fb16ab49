// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;

/** An emulated device whose ports {@code loop...} are {@link LoopAdapter}s. */
final class LoopDevice implements AdapterSource {
  /** Small enough to count everything: 2 netmap_if of 4 rings, 6 rings of 16 slots, 78 buffers. */
  static final Pool.Geometry SMALL = new Pool.Geometry(2, 128, 6, 512, 80, 2048, 256);

  static final Adapter.Config ONE_PAIR = new Adapter.Config(1, 1, 0, 0, 8, 8);

  final EmulatedDevice device;
  final Map<String, LoopAdapter> adapters = new HashMap<>();
  private final Adapter.Config config;
  private @Nullable Pool pool;

  LoopDevice(Adapter.Config config) {
    this(SMALL, config);
  }

  LoopDevice(Pool.Geometry geometry, Adapter.Config config) {
    device = new EmulatedDevice(geometry, List.of(this), null);
    this.config = config;
  }

  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create) {
    if (!request.name().startsWith("loop")) {
      return null;
    }
    LoopAdapter adapter = adapters.get(request.name());
    if (adapter == null || adapter.destroyed) {
      pool = ports.pools().global();
      adapter = new LoopAdapter(request.name(), pool, config);
      adapters.put(request.name(), adapter);
    } else {
      adapter.hold();
    }
    return adapter;
  }

  /** An adapter that stays when nobody uses it, as if somebody looked at it. */
  LoopAdapter kept(String name) throws NetmapException {
    return (LoopAdapter) device.ports().find(RegisterRequest.of(name), true);
  }

  EmulatedPort open(RegisterRequest request) throws NetmapException {
    return (EmulatedPort) device.register(request);
  }

  EmulatedPort open(String name) throws NetmapException {
    return open(RegisterRequest.of(name));
  }
}
