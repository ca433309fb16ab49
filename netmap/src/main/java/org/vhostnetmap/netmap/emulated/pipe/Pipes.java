// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.AdapterSource;
import org.vhostnetmap.netmap.emulated.Ports;
import org.vhostnetmap.netmap.emulated.PrivateMemory;

/** All pipes of a device, by their bases. Called under the device's lock. */
public final class Pipes implements AdapterSource {
  private static final int MOST_PIPES = 64;
  private static final int MOST_RINGS = 256;
  private static final int MOST_SLOTS = 4096;
  private static final int FEWEST_SLOTS = 2;
  private static final int DEFAULT_SLOTS = 1024;

  /** At least so many rings more of either direction fit into the memory of a free base. */
  private static final int FREE_BASE_RINGS = 32;

  /** And so many buffers: 64 MiB, but only those that are used take memory. */
  private static final int FREE_BASE_BUFFERS = 32_768;

  private final Map<Adapter, Map<String, Pipe>> pipes = new HashMap<>();
  private final Map<String, FreeBase> freeBases = new HashMap<>();

  /** No pipe yet. */
  public Pipes() {}

  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    PipeName name = PipeName.parse(request.name());
    if (name == null) {
      return null;
    }
    if (request.mode() != PortMode.ALL_NIC && request.mode() != PortMode.ONE_NIC) {
      throw new NetmapException(request.name() + ": a pipe has no host rings", Errno.EINVAL);
    }
    Adapter base = base(name, request, ports, create);
    try {
      return end(base, name, request, ports, create);
    } finally {
      ports.release(base);
    }
  }

  private Adapter end(
      Adapter base, PipeName name, RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    String owner = base.claimedBy();
    if (owner != null) {
      throw new NetmapException(base + " belongs to " + owner, Errno.EBUSY);
    }
    Map<String, Pipe> siblings = pipes.getOrDefault(base, Map.of());
    Pipe pipe = siblings.get(name.id());
    if (pipe != null) {
      Adapter end = pipe.end(name.first());
      end.hold();
      return end;
    }
    if (!create) {
      throw new NetmapException("there is no pipe " + request.name(), Errno.ENODEV);
    }
    if (siblings.size() == MOST_PIPES) {
      throw new NetmapException(base + " has all its " + MOST_PIPES + " pipes", Errno.ENOMEM);
    }
    return make(base, name, request, ports).end(name.first());
  }

  private Pipe make(Adapter base, PipeName name, RegisterRequest request, Ports ports)
      throws NetmapException {
    Adapter.Config ofBase = ports.configOf(base);
    Adapter.Config config =
        new Adapter.Config(
            Math.clamp(request.txRings(), 1, MOST_RINGS),
            Math.clamp(request.rxRings(), 1, MOST_RINGS),
            0,
            0,
            slots(request.txSlots(), ofBase.txSlots()),
            slots(request.rxSlots(), ofBase.rxSlots()));
    base.hold();
    Pipe pipe;
    try {
      pipe = new Pipe(base, name.id(), config, name.first(), ports, () -> forget(base, name.id()));
    } catch (NetmapException e) {
      ports.release(base);
      throw e;
    }
    pipes.computeIfAbsent(base, none -> new HashMap<>()).put(name.id(), pipe);
    return pipe;
  }

  private static int slots(int wanted, int ofBase) {
    return Math.clamp(wanted > 0 ? wanted : ofBase, FEWEST_SLOTS, MOST_SLOTS);
  }

  private void forget(Adapter base, String id) {
    Map<String, Pipe> siblings = pipes.get(base);
    if (siblings != null) {
      siblings.remove(id);
      if (siblings.isEmpty()) {
        pipes.remove(base);
      }
    }
  }

  /** What the pipe hangs on, with one more reference. */
  private Adapter base(PipeName name, RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    FreeBase known = freeBases.get(name.base());
    if (known != null) {
      known.hold();
      return known;
    }
    RegisterRequest ofBase =
        RegisterRequest.of(name.base())
            .inMemory(request.memoryId())
            .withRings(request.txRings(), request.rxRings(), request.txSlots(), request.rxSlots());
    try {
      return ports.find(ofBase, create);
    } catch (NetmapException e) {
      if (e.errno() != Errno.ENXIO || !create) {
        throw e;
      }
      return freeBase(name.base(), request, ports);
    }
  }

  private FreeBase freeBase(String name, RegisterRequest request, Ports ports)
      throws NetmapException {
    Adapter.Config config =
        new Adapter.Config(
            Math.clamp(request.txRings(), 1, MOST_RINGS),
            Math.clamp(request.rxRings(), 1, MOST_RINGS),
            0,
            0,
            slots(request.txSlots(), DEFAULT_SLOTS),
            slots(request.rxSlots(), DEFAULT_SLOTS));
    FreeBase base =
        new FreeBase(
            name,
            request.memoryId() == 0
                ? ports
                    .pools()
                    .create(PrivateMemory.of(config, request.extraBuffers(), headroom(config)))
                : ports.pools().find(request.memoryId()),
            config,
            () -> freeBases.remove(name));
    freeBases.put(name, base);
    return base;
  }

  /**
   * Rings of either direction, beside one, that a free base's memory has buffers for: both ends of
   * a pipe have their own. All 64 pipes find room when the first one is small.
   */
  private static int headroom(Adapter.Config config) {
    int onePipe = 2 * Math.max(config.txRings(), config.rxRings());
    int slots = Math.max(config.txSlots(), config.rxSlots());
    int affordable = Math.max(FREE_BASE_RINGS, FREE_BASE_BUFFERS / slots);
    return onePipe + Math.min(affordable, MOST_PIPES * onePipe);
  }
}
