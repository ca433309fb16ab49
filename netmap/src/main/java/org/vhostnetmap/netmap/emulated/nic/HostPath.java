// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NamedLock;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.Tap;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/// Host rings of a NIC whose address stays on the NIC.
///
/// ```
///   host's stack --> NIC's egress hook --> TAP queue n --read--> host RX ring n
///   host's stack <-- NIC's ingress <-- NIC's egress hook <-- AF_PACKET, marked <-- host TX ring n
/// ```
///
/// The hook is the only thing that others can see, beside the TAP: [NicHook] tells how both vanish
/// with the process. The TAP has no offloads, so the kernel completes checksums and cuts long
/// segments before we read. It exists as long as this object, its queues are in use while their
/// ring is open; with none the TAP drops, and that is the cut without host rings.
///
/// One thing is counted by the kernel alone: a frame of a host TX ring that finds the processor's
/// backlog full (net.core.netdev_max_backlog; /proc/net/softnet_stat) is lost after it was taken.
public final class HostPath implements HostRings {
  private static final System.Logger LOG = System.getLogger(HostPath.class.getName());
  private static final String TAP_NAME = "nmhost%d";

  private final NetDevice nic;
  private final Tap tap;
  private final NetDevice tapDevice;
  private final NamedLock lock;
  private final Addressee addressee;
  private final HostSender forwarder;
  private final @Nullable HostSender[] senders;
  private final @Nullable HostReceiver[] receivers;
  private final @Nullable Kring[] rxKrings;
  private volatile @Nullable NicHook hook;
  private boolean cut;
  private boolean turning;
  private int txBase;
  private int rxBase;
  private volatile @Nullable String failure;

  /** Of what the TAP dropped: what the kring of a host RX ring knows, or what none could. */
  private long told;

  private long cutOff;

  private HostPath(NetDevice nic, Tap tap, NamedLock lock, int txRings) throws ErrnoException {
    this.nic = nic;
    this.tap = tap;
    this.lock = lock;
    tapDevice = NetDevice.of(tap.name());
    addressee = new Addressee(this::onlyTo);
    forwarder = new HostSender(nic, addressee, this::checkDevice);
    senders = new HostSender[txRings];
    receivers = new HostReceiver[tap.queues()];
    rxKrings = new Kring[tap.queues()];
  }

  /** Makes the TAP ready; {@link HostRings.Factory}. */
  public static HostRings create(String nic, int txRings, int rxRings) throws NetmapException {
    try {
      NetDevice device = NetDevice.of(nic);
      NamedLock lock = lock("host", nic, device);
      Tap tap = null;
      try {
        tap = Tap.create(TAP_NAME, Math.max(1, rxRings));
        for (int queue = 0; queue < tap.queues(); queue++) {
          tap.setQueueUsed(queue, false);
        }
        silence(tap.name());
        tap.setUp();
        return new HostPath(device, tap, lock, txRings);
      } catch (ErrnoException e) {
        if (tap != null) {
          tap.close();
        }
        lock.close();
        throw e;
      }
    } catch (ErrnoException e) {
      throw new NetmapException("host rings of " + nic + ": " + e.getMessage(), e.errno(), e);
    }
  }

  /**
   * Two programs at the same hook would undo each other's work.
   *
   * @throws NetmapException EBUSY when there is another one
   */
  static NamedLock lock(String part, String nic, NetDevice device)
      throws ErrnoException, NetmapException {
    try {
      return NamedLock.take("vhost-netmap/" + part + "/" + device.index());
    } catch (ErrnoException e) {
      if (e.errno() == Errno.EADDRINUSE) {
        throw new NetmapException(nic + " is in netmap mode by another program", Errno.EBUSY, e);
      }
      throw e;
    }
  }

  private void checkDevice() {
    try {
      nic.name();
    } catch (ErrnoException e) {
      if (e.errno() == Errno.ENODEV) {
        failure = "its network device is gone";
      }
    }
  }

  private void tapFailed() {
    failure = "the TAP " + tap.name() + " of the host rings was deleted or taken down";
  }

  /** Else the stack would speak IPv6 on the TAP for itself, and a host RX ring would hear it. */
  private static void silence(String name) {
    Path switchOff = Path.of("/proc/sys/net/ipv6/conf", name, "disable_ipv6");
    try {
      if (Files.exists(switchOff)) {
        Files.writeString(switchOff, "1");
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "IPv6 stays on at " + name, e);
    }
  }

  @Override
  public String description() {
    NicHook held = hook;
    return "TAP " + tap.name() + (held == null ? "" : " and " + held.description());
  }

  @Override
  public void cut(boolean on) throws NetmapException {
    hold(on, turning);
  }

  /** Another hook first, then the one before goes: there is no moment without. */
  private void hold(boolean newCut, boolean newTurning) throws NetmapException {
    NicHook old = hook;
    boolean needed = newCut || newTurning;
    if (newCut != cut || needed != (old != null)) {
      hook =
          newCut ? NicHook.cut(nic, tapDevice) : newTurning ? NicHook.turn(nic, tapDevice) : null;
      if (old != null) {
        old.close();
      }
    }
    cut = newCut;
    turning = newTurning;
    addressee.lookAgain();
  }

  /**
   * The turn by the tc program takes every frame for one that is meant for the host, so we sort out
   * the others, as the stack would; on a promiscuous NIC (a bridge's, say) nobody sorts.
   */
  private long onlyTo() {
    NicHook held = hook;
    try {
      return held == null || held.tellsForWhom() || nic.isPromiscuous() ? 0 : nic.mac();
    } catch (ErrnoException e) {
      return 0;
    }
  }

  @Override
  public void open(int ring, Kring kring) throws NetmapException {
    try {
      if (kring.tx) {
        HostSender sender = new HostSender(nic, addressee, this::checkDevice);
        senders[ring] = sender;
        txBase = kring.id - ring;
        try {
          hold(cut, true);
        } catch (NetmapException e) {
          senders[ring] = null;
          sender.close();
          throw e;
        }
      } else {
        HostReceiver receiver = new HostReceiver(tap.fd(ring), this::tapFailed);
        try {
          tap.setQueueUsed(ring, true);
        } catch (ErrnoException e) {
          receiver.close();
          throw e;
        }
        tell();
        receivers[ring] = receiver;
        rxKrings[ring] = kring;
        rxBase = kring.id - ring;
      }
    } catch (ErrnoException e) {
      throw new NetmapException("open " + kring + ": " + e.getMessage(), e.errno(), e);
    }
  }

  @Override
  public void close(int ring, Kring kring) {
    try {
      if (kring.tx) {
        closeSender(ring);
      } else {
        closeReceiver(ring);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, kring + " closes badly", e);
    }
  }

  private void closeSender(int ring) throws NetmapException {
    HostSender sender = senders[ring];
    senders[ring] = null;
    if (sender != null) {
      sender.close();
    }
    boolean others = false;
    for (HostSender other : senders) {
      others |= other != null;
    }
    hold(cut, others);
  }

  private void closeReceiver(int ring) throws ErrnoException {
    HostReceiver receiver = receivers[ring];
    tell();
    receivers[ring] = null;
    rxKrings[ring] = null;
    if (receiver != null) {
      receiver.close();
      if (failure == null) {
        tap.setQueueUsed(ring, false);
      }
    }
  }

  @Override
  public void txSync(Kring kring) {
    HostSender sender = senders[kring.id - txBase];
    if (sender != null) {
      sender.sync(kring);
    }
  }

  @Override
  public void rxSync(Kring kring) {
    HostReceiver receiver = receivers[kring.id - rxBase];
    if (receiver != null) {
      receiver.sync(kring);
    }
  }

  @Override
  public int readyFd(Kring kring) {
    if (kring.tx) {
      return -1;
    }
    HostReceiver receiver = receivers[kring.id - rxBase];
    return receiver == null ? -1 : receiver.fd();
  }

  @Override
  public boolean send(long address, int length) {
    synchronized (forwarder) {
      return forwarder.send(address, length);
    }
  }

  @Override
  public @Nullable String failure() {
    if (failure == null) {
      checkDevice();
    }
    return failure;
  }

  /** What host RX rings had no room for is counted there; here, what came while none was open. */
  @Override
  public synchronized List<DeviceDrops> drops() {
    tell();
    return cutOff == 0
        ? List.of()
        : List.of(new DeviceDrops("the host transmitted while no host ring was open", cutOff));
  }

  /** Brings the TAP's count to an open ring's kring. */
  private synchronized void tell() {
    for (Kring kring : rxKrings) {
      if (kring != null) {
        long dropped = untold();
        synchronized (kring) {
          kring.drop(DropReason.RING_FULL, dropped);
        }
        return;
      }
    }
    cutOff += untold();
  }

  private synchronized long untold() {
    try {
      long dropped = tapDevice.transmitDrops();
      long untold = dropped - told;
      told = dropped;
      return untold;
    } catch (ErrnoException e) {
      return 0;
    }
  }

  @Override
  public void close() {
    NicHook held = hook;
    hook = null;
    if (held != null) {
      held.close();
    }
    for (int ring = 0; ring < senders.length; ring++) {
      HostSender sender = senders[ring];
      if (sender != null) {
        sender.close();
      }
      senders[ring] = null;
    }
    for (int ring = 0; ring < receivers.length; ring++) {
      HostReceiver receiver = receivers[ring];
      if (receiver != null) {
        receiver.close();
      }
      receivers[ring] = null;
    }
    forwarder.close();
    tap.close();
    lock.close();
  }
}
