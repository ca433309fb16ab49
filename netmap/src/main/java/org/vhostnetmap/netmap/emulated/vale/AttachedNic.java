// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Ports;

/**
 * A NIC that is plugged into a switch, with its host stack as a second port when that was asked for
 * ({@code vale0:eth0^}). What the kernel does in the NIC's interrupt a thread does here, asleep
 * while nothing comes. Nobody else can open the NIC meanwhile. Opened and closed under the device's
 * lock, which the thread never takes.
 */
final class AttachedNic implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(AttachedNic.class.getName());

  /** A NIC that went away is noticed after so long. */
  private static final int LOOK_MILLIS = 1000;

  private final ValeSwitch bridge;
  private final Ports ports;
  private final Adapter nic;
  private final NetDevice device;
  private final AttachedSide[] sides;
  private final Fd stopFd;
  private final Epoll epoll;
  private final Thread thread;
  private volatile boolean stopped;
  private int joined;

  private AttachedNic(
      ValeSwitch bridge,
      Ports ports,
      Adapter nic,
      NetDevice device,
      AttachedSide[] sides,
      Fd stopFd,
      Epoll epoll) {
    this.bridge = bridge;
    this.ports = ports;
    this.nic = nic;
    this.device = device;
    this.sides = sides;
    this.stopFd = stopFd;
    this.epoll = epoll;
    thread = new Thread(this::run, "netmap-" + sides[0].name());
    thread.setDaemon(true);
  }

  /** Takes the NIC; it is in the switch after {@link #join}. */
  static AttachedNic open(ValeName name, RegisterRequest request, ValeSwitch bridge, Ports ports)
      throws NetmapException {
    RegisterRequest nicRequest =
        RegisterRequest.of(name.port())
            .inMemory(request.memoryId())
            .withRings(request.txRings(), request.rxRings(), request.txSlots(), request.rxSlots())
            .withHostRings(request.hostTxRings(), request.hostRxRings())
            .withFlags(NetmapAbi.NR_EXCLUSIVE);
    Adapter nic = ports.find(nicRequest, true);
    try {
      nic.claim("VALE switch " + bridge.name());
    } catch (NetmapException busy) {
      ports.release(nic);
      throw busy;
    }
    EmulatedPort own = null;
    EmulatedPort host = null;
    try {
      own = open(nic, nicRequest, ports);
      if (request.mode() == PortMode.NIC_AND_HOST) {
        host = open(nic, nicRequest.with(PortMode.HOST, 0), ports);
      }
      return assemble(name.toString(), bridge, ports, nic, own, host);
    } catch (NetmapException | RuntimeException | Error failed) {
      close(host);
      close(own);
      nic.unclaim();
      ports.release(nic);
      throw failed;
    }
  }

  private static EmulatedPort open(Adapter nic, RegisterRequest request, Ports ports)
      throws NetmapException {
    nic.hold();
    return ports.open(nic, request);
  }

  private static void close(@Nullable EmulatedPort port) {
    if (port != null) {
      port.close();
    }
  }

  private static AttachedNic assemble(
      String name,
      ValeSwitch bridge,
      Ports ports,
      Adapter nic,
      EmulatedPort own,
      @Nullable EmulatedPort host)
      throws NetmapException {
    AttachedSide side = new AttachedSide(name, bridge, own, own.txRings(), own.rxRings(), 0, 0);
    AttachedSide[] sides = {side};
    if (host != null) {
      Adapter.Config config = nic.currentConfig();
      sides =
          new AttachedSide[] {
            side,
            new AttachedSide(
                name + "^",
                bridge,
                host,
                host.hostTxRings(),
                host.hostRxRings(),
                config.txRings(),
                config.rxRings())
          };
    }
    try {
      Fd stop = EventFd.create();
      try {
        Epoll epoll = new Epoll(1);
        try {
          epoll.add(stop.value(), Epoll.IN, 0);
          for (AttachedSide each : sides) {
            epoll.add(each.port().fd(), Epoll.IN, 0);
          }
          return new AttachedNic(bridge, ports, nic, NetDevice.of(nic.name()), sides, stop, epoll);
        } catch (ErrnoException e) {
          epoll.close();
          throw e;
        }
      } catch (ErrnoException e) {
        stop.close();
        throw e;
      }
    } catch (ErrnoException e) {
      throw new NetmapException("attach " + name, e.errno(), e);
    }
  }

  ValeSwitch bridge() {
    return bridge;
  }

  /** The NIC's number in the switch. */
  int index() {
    return sides[0].index;
  }

  /** Frames flow from here on. */
  void join() throws NetmapException {
    for (AttachedSide side : sides) {
      bridge.join(side);
      joined++;
    }
    thread.start();
  }

  private void run() {
    try {
      while (!stopped) {
        if (pump() == 0) {
          sleep();
        }
      }
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.ERROR, sides[0].name() + " moves no frames any more", e);
      for (AttachedSide side : sides) {
        side.shut();
      }
    }
  }

  private int pump() {
    int moved = 0;
    for (AttachedSide side : sides) {
      moved += side.pump();
    }
    return moved;
  }

  private void sleep() {
    for (AttachedSide side : sides) {
      side.port().arm();
    }
    if (pump() == 0 && !stopped) {
      epoll.await(LOOK_MILLIS);
      lookForFailure();
    }
    for (AttachedSide side : sides) {
      side.port().disarm();
    }
  }

  /** The rings of a NIC that is gone may be silent for ever. */
  private void lookForFailure() {
    String why = sides[0].port().failure().orElse(isThere() ? null : "it was taken away");
    if (why != null && !stopped) {
      LOG.log(System.Logger.Level.WARNING, sides[0].name() + " has failed: " + why);
      stopped = true;
      for (AttachedSide side : sides) {
        side.shut();
      }
    }
  }

  private boolean isThere() {
    try {
      device.name();
      return true;
    } catch (ErrnoException e) {
      return e.errno() != Errno.ENODEV;
    }
  }

  /** Unplugs it and gives the NIC back. */
  @Override
  public void close() {
    stopped = true;
    EventFd.signal(stopFd.value());
    if (joined == sides.length) {
      join(thread);
    }
    for (int i = 0; i < joined; i++) {
      sides[i].shut();
      bridge.leave(sides[i]);
    }
    epoll.close();
    stopFd.close();
    for (int i = sides.length - 1; i >= 0; i--) {
      LOG.log(
          System.Logger.Level.DEBUG,
          sides[i].name() + " detached; dropped: " + sides[i].port().drops());
      sides[i].port().close();
    }
    nic.unclaim();
    ports.release(nic);
  }

  private static void join(Thread thread) {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
