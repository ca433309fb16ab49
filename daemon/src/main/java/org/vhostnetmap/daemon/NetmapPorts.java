// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.bridge.Bridge;
import org.vhostnetmap.bridge.LinkWatch;
import org.vhostnetmap.bridge.NetmapBridgePort;
import org.vhostnetmap.bridge.NicSettings;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.kernel.KernelDevice;

/**
 * Makes the ports that are netmap's. The device behind them is opened with the first one: who names
 * none pays nothing. Owns the device.
 */
final class NetmapPorts implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(NetmapPorts.class.getName());

  private final Options options;
  private final EventLoop loop;
  private final Bridge bridge;
  private @Nullable NetmapDevice device;
  private @Nullable LinkWatch links;

  NetmapPorts(Options options, EventLoop loop, Bridge bridge) {
    this.options = options;
    this.loop = loop;
    this.bridge = bridge;
  }

  /** Opens one PORT and adds it to the bridge; NIC and host rings together are two ports there. */
  void add(PortSpec.Netmap spec, String name, Tuning tuning) throws Failure {
    NetmapDevice opened = device();
    try {
      RegisterRequest request = spec.name().request(opened);
      if (spec.headers()) {
        request = request.withFlags(NetmapAbi.NR_ACCEPT_VNET_HDR);
      }
      if (request.mode() == PortMode.NIC_AND_HOST) {
        add(opened, name.replaceFirst("\\*", ""), request.with(PortMode.ALL_NIC, 0), true, tuning);
        add(opened, name.replace('*', '^'), request.with(PortMode.HOST, 0), true, Tuning.NONE);
      } else {
        if (request.mode().bindsHost()) {
          LOG.log(
              Level.WARNING,
              name
                  + ": sees nothing of what the host sends unless the NIC is open too:"
                  + " netmap:NIC*");
        }
        add(opened, name, request, false, tuning);
      }
    } catch (NetmapException e) {
      throw Advice.onNetmap(spec, e);
    }
  }

  private void add(
      NetmapDevice opened, String name, RegisterRequest request, boolean shared, Tuning tuning)
      throws NetmapException {
    boolean kernel = opened instanceof KernelDevice;
    var settings = new NicSettings(kernel, options.fixNic(), shared);
    var port = new NetmapBridgePort(name, bridge, loop, opened, request, settings);
    bridge.add(port.limit(tuning.sends(), tuning.receives()));
    LinkWatch watch = links();
    if (watch != null) {
      watch.add(port);
    }
  }

  private NetmapDevice device() throws Failure {
    NetmapDevice known = device;
    if (known != null) {
      return known;
    }
    try {
      Netmap.Choice choice = Netmap.open(options.netmap());
      device = choice.device();
      LOG.log(Level.INFO, "netmap: " + choice.reason());
      return choice.device();
    } catch (NetmapException e) {
      throw Advice.onNetmapDevice(e);
    }
  }

  private @Nullable LinkWatch links() {
    if (links == null) {
      try {
        links = new LinkWatch(loop);
      } catch (ErrnoException e) {
        LOG.log(Level.WARNING, "links are looked at once a second only: " + e.getMessage());
      }
    }
    return links;
  }

  @Override
  public void close() {
    LinkWatch watch = links;
    if (watch != null) {
      watch.close();
    }
    NetmapDevice known = device;
    if (known != null) {
      known.close();
    }
  }
}
