// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.WARNING;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.RouteMonitor;

/**
 * Lets netmap ports look at their network devices as soon as the kernel says that something
 * happened to them; without it they look once a second. Control thread.
 */
public final class LinkWatch implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(LinkWatch.class.getName());

  private final RouteMonitor monitor;
  private final EventLoop.Registration registration;
  private final List<NetmapBridgePort> ports = new ArrayList<>();

  /** Watches from now on. */
  public LinkWatch(EventLoop loop) throws ErrnoException {
    monitor = RouteMonitor.open();
    try {
      registration = loop.register(monitor.fd(), Epoll.IN, events -> read());
    } catch (ErrnoException refused) {
      monitor.close();
      throw refused;
    }
  }

  /** Tells this port from now on. */
  public void add(NetmapBridgePort port) {
    ports.add(port);
  }

  /** Nothing that goes wrong here may end the watch: each port catches its own. */
  private void read() {
    Set<NetmapBridgePort> concerned = new LinkedHashSet<>();
    try {
      boolean complete =
          monitor.read(
              event -> ports.stream().filter(port -> port.concerns(event)).forEach(concerned::add));
      if (!complete) {
        concerned.addAll(ports);
      }
    } catch (ErrnoException unreadable) {
      LOG.log(WARNING, "links are looked at once a second only: " + unreadable.getMessage());
      registration.close();
    }
    concerned.forEach(NetmapBridgePort::check);
  }

  @Override
  public void close() {
    registration.close();
    monitor.close();
  }
}
