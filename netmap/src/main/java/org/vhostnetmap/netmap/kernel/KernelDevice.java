// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.List;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * The kernel's netmap behind {@code /dev/netmap}. Names are looked up in the network namespace of
 * the calling thread. Each port is an open of its own; a port that fails to open leaves nothing
 * behind.
 */
public final class KernelDevice implements NetmapDevice {
  /** The device. */
  public static final String PATH = "/dev/netmap";

  private final NetmapCalls calls;
  private final Control control;
  private final Regions regions;

  private KernelDevice(NetmapCalls calls, Control control) {
    this.calls = calls;
    this.control = control;
    regions = new Regions(calls, control);
  }

  /**
   * Looks for the device and asks it which requests it understands.
   *
   * @throws NetmapException ENOENT when the module is not loaded, EACCES when this user may not,
   *     EINVAL when the module is too old or too new
   */
  public static KernelDevice open() throws NetmapException {
    return open(NetmapCalls.REAL);
  }

  static KernelDevice open(NetmapCalls calls) throws NetmapException {
    try (Fd fd = open(calls, "")) {
      if (CurrentControl.speaks(calls, fd.value())) {
        return new KernelDevice(calls, new CurrentControl(calls));
      }
      if (LegacyControl.speaks(calls, fd.value())) {
        return new KernelDevice(calls, new LegacyControl(calls));
      }
    }
    throw new NetmapException(
        "the kernel's netmap speaks neither version "
            + ControlMessage.NETMAP_API
            + " of its interface (NIOCCTRL) nor the older NIOCREGIF; load a module of 2014 or later",
        Errno.EINVAL);
  }

  private static Fd open(NetmapCalls calls, String what) throws NetmapException {
    try {
      return calls.open();
    } catch (ErrnoException e) {
      throw what.isEmpty()
          ? Refusals.ofOpen(e.errno())
          : new NetmapException(what + ": open " + PATH, e.errno(), e);
    }
  }

  @Override
  public String description() {
    return "the kernel's netmap (" + PATH + ", " + control.language() + ")";
  }

  @Override
  public NetmapPort register(RegisterRequest request) throws NetmapException {
    Fd fd = open(calls, "netmap port " + request.name());
    Registered registered;
    Regions.Region region;
    try {
      registered = control.register(fd.value(), request);
      region = regions.enter(fd.value(), registered.info());
    } catch (NetmapException e) {
      fd.close();
      throw e;
    }
    return new KernelPort(calls, regions, region, fd, request, registered);
  }

  @Override
  public PortInfo info(String name, int memoryId) throws NetmapException {
    try (Fd fd = open(calls, "ask for netmap port " + name)) {
      return control.portInfo(fd.value(), name, memoryId);
    }
  }

  @Override
  public int attach(RegisterRequest request) throws NetmapException {
    try (Fd fd = open(calls, "plug in " + request.name())) {
      return control.attach(fd.value(), request);
    }
  }

  @Override
  public void detach(String name) throws NetmapException {
    try (Fd fd = open(calls, "unplug " + name)) {
      control.detach(fd.value(), name);
    }
  }

  @Override
  public List<ValePort> valePorts() throws NetmapException {
    try (Fd fd = open(calls, "list VALE ports")) {
      return control.valePorts(fd.value());
    }
  }

  @Override
  public void setHeaderLength(String name, int bytes) throws NetmapException {
    try (Fd fd = open(calls, "set the header of " + name)) {
      control.setHeaderLength(fd.value(), name, bytes);
    }
  }

  @Override
  public int headerLength(String name) throws NetmapException {
    try (Fd fd = open(calls, "ask for the header of " + name)) {
      return control.headerLength(fd.value(), name);
    }
  }

  /**
   * Creates a persistent VALE port, which is a network interface of that name, with the request's
   * rings, slots and memory: VALE_NEWIF. {@link #attach} plugs it in.
   */
  public void createInterface(RegisterRequest request) throws NetmapException {
    try (Fd fd = open(calls, "create " + request.name())) {
      control.createInterface(fd.value(), request);
    }
  }

  /** Deletes what {@link #createInterface} made: VALE_DELIF. */
  public void deleteInterface(String name) throws NetmapException {
    try (Fd fd = open(calls, "delete " + name)) {
      control.deleteInterface(fd.value(), name);
    }
  }

  /** How the memory of a port is laid out: POOLS_INFO_GET. */
  public MemoryPools pools(String name) throws NetmapException {
    try (Fd fd = open(calls, "ask for the pools of " + name)) {
      return control.pools(fd.value(), name);
    }
  }

  /** Nothing is held but by open ports. */
  @Override
  public void close() {}
}
