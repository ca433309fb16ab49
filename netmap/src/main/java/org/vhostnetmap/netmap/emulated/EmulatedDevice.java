// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * netmap without the kernel's module: the same ports, rings and rules, in this process. One lock
 * guards the control plane. What kinds of ports there are is told at construction.
 */
public final class EmulatedDevice implements NetmapDevice {
  /** nr_name has 64 bytes, one of them the end. */
  private static final int LONGEST_NAME = 63;

  private final Object lock = new Object();
  private final Pools pools;
  private final List<AdapterSource> sources = new ArrayList<>();
  private final @Nullable SwitchControl switches;
  private final Ports ports = new OpenPorts();

  /**
   * A device whose NICs share a memory of the usual size.
   *
   * @param sources kinds of ports, in the order in which they are asked: monitors, pipes, VALE,
   *     NICs
   * @param switches what VALE switches can do, null where there are none
   */
  public EmulatedDevice(List<AdapterSource> sources, @Nullable SwitchControl switches) {
    this(Pool.Geometry.GLOBAL, sources, switches);
  }

  /** The same with another size for the memory that NICs share. */
  public EmulatedDevice(
      Pool.Geometry global, List<AdapterSource> sources, @Nullable SwitchControl switches) {
    pools = new Pools(global);
    this.sources.add(new NullPorts());
    this.sources.addAll(sources);
    this.switches = switches;
  }

  @Override
  public String description() {
    return "the emulated netmap";
  }

  /** What the kinds of ports see; tests use it too. */
  public Ports ports() {
    return ports;
  }

  @Override
  public NetmapPort register(RegisterRequest request) throws NetmapException {
    synchronized (lock) {
      Adapter adapter = ports.find(request, true);
      String owner = adapter.claimedBy();
      if (owner != null) {
        ports.release(adapter);
        throw new NetmapException(request.name() + " belongs to " + owner, Errno.EBUSY);
      }
      return ports.open(adapter, request);
    }
  }

  @Override
  public PortInfo info(String name, int memoryId) throws NetmapException {
    RegisterRequest request = RegisterRequest.of(name).inMemory(memoryId);
    synchronized (lock) {
      Adapter adapter = ports.find(request, true);
      try {
        ports.configOf(adapter);
        return EmulatedPort.infoOf(adapter);
      } finally {
        ports.release(adapter);
      }
    }
  }

  @Override
  public int attach(RegisterRequest request) throws NetmapException {
    synchronized (lock) {
      return switches().attach(request, ports);
    }
  }

  @Override
  public void detach(String name) throws NetmapException {
    synchronized (lock) {
      switches().detach(name, ports);
    }
  }

  @Override
  public List<ValePort> valePorts() throws NetmapException {
    synchronized (lock) {
      return switches().list();
    }
  }

  @Override
  public void setHeaderLength(String name, int bytes) throws NetmapException {
    synchronized (lock) {
      switches().setHeaderLength(name, bytes, ports);
    }
  }

  @Override
  public int headerLength(String name) throws NetmapException {
    synchronized (lock) {
      Adapter adapter = ports.find(RegisterRequest.of(name), false);
      try {
        return adapter.headerLength();
      } finally {
        ports.release(adapter);
      }
    }
  }

  private SwitchControl switches() throws NetmapException {
    if (switches == null) {
      throw new NetmapException("this device has no VALE switches", Errno.EOPNOTSUPP);
    }
    return switches;
  }

  @Override
  public void close() {
    // Everything belongs to ports, and they are closed one by one.
  }

  private final class OpenPorts implements Ports {
    @Override
    public Object lock() {
      return lock;
    }

    @Override
    public Pools pools() {
      return pools;
    }

    @Override
    public Adapter find(RegisterRequest request, boolean create) throws NetmapException {
      if (request.name().isEmpty() && request.mode() != PortMode.NULL) {
        throw new NetmapException("a port needs a name", Errno.EINVAL);
      }
      if (request.name().length() > LONGEST_NAME) {
        throw new NetmapException(
            "a port's name has at most " + LONGEST_NAME + " characters", Errno.EINVAL);
      }
      for (AdapterSource source : sources) {
        Adapter adapter = source.find(request, this, create);
        if (adapter != null) {
          return adapter;
        }
      }
      throw new NetmapException("there is no port " + request.name(), Errno.ENXIO);
    }

    @Override
    public Adapter.Config configOf(Adapter adapter) throws NetmapException {
      if (adapter.activeFds == 0) {
        adapter.current = adapter.config();
      }
      return adapter.current;
    }

    @Override
    public void release(Adapter adapter) {
      adapter.references--;
      if (adapter.references == 0) {
        adapter.destroy();
        pools.release(adapter.memory());
      }
    }

    @Override
    public EmulatedPort open(Adapter adapter, RegisterRequest request) throws NetmapException {
      try {
        Registration registration = registered(adapter, request);
        try {
          return new EmulatedPort(this, registration, request);
        } catch (ErrnoException e) {
          registration.unwind();
          throw new NetmapException("open " + request.name(), e.errno(), e);
        } catch (RuntimeException | Error e) {
          registration.unwind();
          throw e;
        }
      } catch (NetmapException | RuntimeException | Error e) {
        release(adapter);
        throw e;
      }
    }

    private Registration registered(Adapter adapter, RegisterRequest request)
        throws NetmapException {
      while (true) {
        try {
          return Registration.of(adapter, request);
        } catch (NetmapException e) {
          if (adapter.activeFds > 0 || !adapter.fallBack(e)) {
            throw e;
          }
        }
      }
    }
  }
}
