// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Ports;

/**
 * A NIC that is plugged into a switch, with its host stack as a second port when that was asked for
 * ({@code vale0:eth0^}). What the kernel does in the NIC's interrupt a thread does here, see {@link
 * AttachedRun}. When the NIC goes away its places stay, and a NIC of the same name that comes is
 * plugged in again. Under the device's lock.
 */
final class AttachedNic implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(AttachedNic.class.getName());
  private static final long AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private final RegisterRequest request;
  private final boolean withHost;
  private final ValeSwitch bridge;
  private final Ports ports;
  private final AttachedSide[] places;
  private int joined;
  private @Nullable AttachedRun run;
  private @Nullable Thread waiting;
  private boolean closed;

  /** A NIC that is not in the switch yet. */
  AttachedNic(ValeName name, RegisterRequest asked, ValeSwitch bridge, Ports ports) {
    this.bridge = bridge;
    this.ports = ports;
    withHost = asked.mode() == PortMode.NIC_AND_HOST;
    request =
        RegisterRequest.of(name.port())
            .inMemory(asked.memoryId())
            .withRings(asked.txRings(), asked.rxRings(), asked.txSlots(), asked.rxSlots())
            .withHostRings(asked.hostTxRings(), asked.hostRxRings())
            .withFlags(NetmapAbi.NR_EXCLUSIVE);
    AttachedSide nic = new AttachedSide(name.toString());
    places =
        withHost
            ? new AttachedSide[] {nic, new AttachedSide(name + "^")}
            : new AttachedSide[] {nic};
  }

  /**
   * Takes the NIC and plugs it in.
   *
   * @throws NetmapException and nothing is left behind
   */
  void plugIn() throws NetmapException {
    try {
      AttachedRun first = open();
      run = first;
      for (AttachedSide place : places) {
        bridge.join(place);
        joined++;
      }
      first.start();
    } catch (NetmapException | RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private AttachedRun open() throws NetmapException {
    return new AttachedRun(request, withHost, places, bridge, ports, this::failed);
  }

  ValeSwitch bridge() {
    return bridge;
  }

  /** The NIC's number in the switch. */
  int index() {
    return places[0].index;
  }

  /** In the thread that ends. It may not wait for the device's lock: who has it may wait for it. */
  private void failed(String why) {
    LOG.log(System.Logger.Level.WARNING, places[0].name() + " is down: " + why);
    Thread thread = new Thread(this::waitForNic, "netmap-" + places[0].name() + "-again");
    thread.setDaemon(true);
    thread.start();
  }

  private void waitForNic() {
    while (!tryAgain()) {
      LockSupport.parkNanos(this, AGAIN_NANOS);
    }
  }

  /** Whether there is nothing to wait for any more. */
  private boolean tryAgain() {
    synchronized (ports.lock()) {
      if (closed) {
        return true;
      }
      waiting = Thread.currentThread();
      AttachedRun before = run;
      if (before != null) {
        run = null;
        before.close();
      }
      try {
        AttachedRun next = open();
        run = next;
        next.start();
        waiting = null;
        LOG.log(System.Logger.Level.INFO, places[0].name() + " is up again");
        return true;
      } catch (NetmapException e) {
        // Not there yet, or somebody else has it.
        return false;
      } catch (RuntimeException e) {
        LOG.log(System.Logger.Level.ERROR, places[0].name() + " can't be plugged in again", e);
        return false;
      }
    }
  }

  /** Unplugs it and gives the NIC back. */
  @Override
  public void close() {
    closed = true;
    if (run != null) {
      run.close();
      run = null;
    }
    LockSupport.unpark(waiting);
    for (int i = 0; i < joined; i++) {
      bridge.leave(places[i]);
    }
    joined = 0;
  }
}
