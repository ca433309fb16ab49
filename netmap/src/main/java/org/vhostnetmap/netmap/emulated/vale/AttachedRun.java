// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Ports;

/**
 * One stay of a NIC in a switch, from its opening until it is unplugged or goes away: its ports,
 * and the thread that moves what comes in, asleep while nothing does. Opened and closed under the
 * device's lock, which the thread never takes.
 */
final class AttachedRun implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(AttachedRun.class.getName());

  /** A NIC that went away is noticed after so long: its rings may be silent for ever. */
  private static final int LOOK_MILLIS = 500;

  private final Ports ports;
  private final Adapter nic;
  private final Consumer<String> failed;
  private final List<AttachedRings> rings = new ArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final NetDevice device;
  private final Fd stop;
  private final Epoll epoll;
  private final Thread thread;
  private volatile boolean stopped;

  /** When the NIC was looked at, by the thread. */
  private long lastLook = System.nanoTime();

  /**
   * Opens a NIC for a switch; nobody else can open it then.
   *
   * @param failed told once, by the thread as its last act, why it moves no frames any more
   * @throws NetmapException and nothing is left behind
   */
  AttachedRun(
      RegisterRequest request,
      boolean withHost,
      AttachedSide[] places,
      ValeSwitch bridge,
      Ports ports,
      Consumer<String> failed)
      throws NetmapException {
    this.ports = ports;
    this.failed = failed;
    nic = ports.find(request, true);
    try {
      nic.claim("VALE switch " + bridge.name());
    } catch (NetmapException busy) {
      ports.release(nic);
      throw busy;
    }
    try {
      device = NetDevice.of(nic.name());
      EmulatedPort own = open(request);
      rings.add(new AttachedRings(places[0], bridge, own, own.txRings(), own.rxRings(), 0, 0));
      if (withHost) {
        EmulatedPort host = open(request.with(PortMode.HOST, 0));
        rings.add(hostRings(places[1], bridge, host));
      }
      stop = EventFd.create();
      opened.add(stop);
      epoll = new Epoll(1);
      opened.add(epoll);
      epoll.add(stop.value(), Epoll.IN, 0);
      for (AttachedRings each : rings) {
        epoll.add(each.port().fd(), Epoll.IN, 0);
      }
      thread = new Thread(this::run, "netmap-" + places[0].name());
      thread.setDaemon(true);
    } catch (ErrnoException e) {
      giveBack();
      throw new NetmapException("attach " + nic, e.errno(), e);
    } catch (NetmapException | RuntimeException | Error e) {
      giveBack();
      throw e;
    }
  }

  private EmulatedPort open(RegisterRequest request) throws NetmapException {
    nic.hold();
    EmulatedPort port = ports.open(nic, request);
    opened.add(port);
    return port;
  }

  private AttachedRings hostRings(AttachedSide place, ValeSwitch bridge, EmulatedPort host) {
    Adapter.Config config = nic.currentConfig();
    return new AttachedRings(
        place,
        bridge,
        host,
        host.hostTxRings(),
        host.hostRxRings(),
        config.txRings(),
        config.rxRings());
  }

  /** Frames flow from here on. */
  void start() {
    rings.forEach(each -> each.place().use(each));
    thread.start();
  }

  private void run() {
    String why = null;
    try {
      while (!stopped && why == null) {
        if (pump() == 0) {
          why = sleep();
        }
      }
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.ERROR, nic + " in its switch: a thread ended", e);
      why = e.toString();
    }
    if (why != null && !stopped) {
      rings.forEach(AttachedRings::shut);
      failed.accept(why);
    }
  }

  private int pump() {
    int moved = 0;
    for (AttachedRings each : rings) {
      moved += each.pump();
    }
    return moved;
  }

  /** Waits for frames; says what is wrong with the NIC when it is. */
  private @Nullable String sleep() {
    for (AttachedRings each : rings) {
      each.port().arm();
    }
    String why = null;
    if (pump() == 0 && !stopped) {
      epoll.await(LOOK_MILLIS);
      why = look();
    }
    for (AttachedRings each : rings) {
      each.port().disarm();
    }
    return why;
  }

  private @Nullable String look() {
    long now = System.nanoTime();
    if (now - lastLook < TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS)) {
      return null;
    }
    lastLook = now;
    return rings.get(0).port().failure().orElse(isThere() ? null : "it was taken away");
  }

  private boolean isThere() {
    try {
      device.name();
      return true;
    } catch (ErrnoException e) {
      return e.errno() != Errno.ENODEV;
    }
  }

  /** Ends it and gives the NIC back. */
  @Override
  public void close() {
    stopped = true;
    EventFd.signal(stop.value());
    join();
    for (AttachedRings each : rings) {
      each.place().use(null);
      each.shut();
      LOG.log(System.Logger.Level.DEBUG, each.place().name() + " dropped " + each.port().drops());
    }
    giveBack();
  }

  private void join() {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void giveBack() {
    for (AutoCloseable each : opened.reversed()) {
      try {
        each.close();
      } catch (Exception e) {
        LOG.log(System.Logger.Level.WARNING, nic + " was not given back in order", e);
      }
    }
    nic.unclaim();
    ports.release(nic);
  }
}
