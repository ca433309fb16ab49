// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.AdapterSource;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.Ports;
import org.vhostnetmap.netmap.emulated.PrivateMemory;
import org.vhostnetmap.netmap.emulated.SwitchControl;

/**
 * All VALE switches of a device. A switch is there while it has ports. Called under the device's
 * lock.
 */
public final class ValeSwitches implements AdapterSource, SwitchControl {
  /** netmap's module knows 8 unless told otherwise; a table of ours costs little. */
  private static final int MOST_SWITCHES = 256;

  private static final int MOST_RINGS = 16;
  private static final int DEFAULT_SLOTS = 1024;
  private static final int MOST_SLOTS = 4096;

  /** One slot is always empty, so one alone would be no ring. */
  private static final int FEWEST_SLOTS = 2;

  private final Map<String, ValeSwitch> switches = new TreeMap<>();
  private final Map<String, VirtualPort> virtual = new HashMap<>();
  private final Map<String, AttachedNic> attached = new HashMap<>();
  private final Predicate<String> isInterface;

  /**
   * No switch yet.
   *
   * @param isInterface whether the host has a network interface of that name
   */
  public ValeSwitches(Predicate<String> isInterface) {
    this.isInterface = isInterface;
  }

  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    ValeName name = ValeName.parse(request.name());
    if (name == null) {
      return null;
    }
    VirtualPort known = virtual.get(request.name());
    if (known != null) {
      known.hold();
      return known;
    }
    if (attached.containsKey(request.name())) {
      throw new NetmapException(name + " belongs to its switch", Errno.EBUSY);
    }
    if (!create) {
      throw new NetmapException("there is no port " + name, Errno.ENXIO);
    }
    if (isInterface.test(name.port())) {
      throw new NetmapException(
          name.port() + " is a network interface: it can be attached, not opened, as " + name,
          Errno.EINVAL);
    }
    return newPort(name, request, ports);
  }

  private VirtualPort newPort(ValeName name, RegisterRequest request, Ports ports)
      throws NetmapException {
    Adapter.Config config =
        new Adapter.Config(
            Math.clamp(request.txRings(), 1, MOST_RINGS),
            Math.clamp(request.rxRings(), 1, MOST_RINGS),
            0,
            0,
            slots(request.txSlots()),
            slots(request.rxSlots()));
    ValeSwitch bridge = switchOf(name.bridge());
    Pool memory =
        request.memoryId() == 0
            ? ports.pools().create(PrivateMemory.of(config, request.extraBuffers()))
            : ports.pools().find(request.memoryId());
    VirtualPort port = new VirtualPort(name.toString(), memory, bridge, config, this::left);
    try {
      bridge.join(port.place());
    } catch (NetmapException full) {
      ports.pools().release(memory);
      throw full;
    }
    switches.put(bridge.name(), bridge);
    virtual.put(port.name(), port);
    return port;
  }

  private static int slots(int wanted) {
    return wanted <= 0 ? DEFAULT_SLOTS : Math.clamp(wanted, FEWEST_SLOTS, MOST_SLOTS);
  }

  private ValeSwitch switchOf(String name) throws NetmapException {
    ValeSwitch bridge = switches.get(name);
    if (bridge != null) {
      return bridge;
    }
    if (switches.size() == MOST_SWITCHES) {
      throw new NetmapException("all " + MOST_SWITCHES + " VALE switches are in use", Errno.ENOMEM);
    }
    return new ValeSwitch(name);
  }

  private void left(VirtualPort port) {
    virtual.remove(port.name());
    leave(port.bridge(), port.place());
  }

  private void leave(ValeSwitch bridge, SwitchPort place) {
    bridge.leave(place);
    if (bridge.ports().active.length == 0) {
      switches.remove(bridge.name());
    }
  }

  @Override
  public int attach(RegisterRequest request, Ports ports) throws NetmapException {
    ValeName name = ValeName.parse(request.name());
    if (name == null) {
      throw new NetmapException(
          request.name() + ": a port is attached as SWITCH:PORT, such as vale0:eth0", Errno.EINVAL);
    }
    boolean withHost = request.mode() == PortMode.NIC_AND_HOST;
    if (request.ringId() != 0 || (request.mode() != PortMode.ALL_NIC && !withHost)) {
      throw new NetmapException(
          "a NIC is attached with all its rings, or all and the host's", Errno.EINVAL);
    }
    if (attached.containsKey(request.name()) || virtual.containsKey(request.name())) {
      throw new NetmapException(name + " is in its switch already", Errno.EBUSY);
    }
    if (!isInterface.test(name.port())) {
      throw new NetmapException(name.port() + " is no network interface", Errno.EINVAL);
    }
    ValeSwitch bridge = switchOf(name.bridge());
    AttachedNic nic = new AttachedNic(name, request, bridge, ports);
    nic.plugIn();
    switches.put(bridge.name(), bridge);
    attached.put(request.name(), nic);
    return nic.index();
  }

  @Override
  public void detach(String name, Ports ports) throws NetmapException {
    if (ValeName.parse(name) == null) {
      throw new NetmapException(name + " names no port of a VALE switch", Errno.EINVAL);
    }
    AttachedNic nic = attached.remove(name);
    if (nic == null) {
      throw new NetmapException(name + " is not attached", Errno.ENXIO);
    }
    nic.close();
    if (nic.bridge().ports().active.length == 0) {
      switches.remove(nic.bridge().name());
    }
  }

  @Override
  public List<ValePort> list() {
    List<ValePort> all = new ArrayList<>();
    int index = 0;
    for (ValeSwitch bridge : switches.values()) {
      for (SwitchPort port : bridge.ports().active) {
        all.add(new ValePort(port.name(), index, port.index));
      }
      index++;
    }
    return all;
  }

  @Override
  public void setHeaderLength(String name, int bytes, Ports ports) throws NetmapException {
    if (bytes != 0 && bytes != 10 && bytes != 12) {
      throw new NetmapException(
          "a virtio-net header has 0, 10 or 12 bytes, not " + bytes, Errno.EINVAL);
    }
    VirtualPort port = virtual.get(name);
    if (port == null) {
      throw new NetmapException(name + " is no open port of a VALE switch", Errno.ENXIO);
    }
    port.place().setHeaderLength(bytes);
  }
}
