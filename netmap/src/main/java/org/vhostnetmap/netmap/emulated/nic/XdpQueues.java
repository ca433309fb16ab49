// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/// A NIC's queues by AF_XDP: netmap buffers are the frames' memory, so that we copy nothing.
///
/// ```
///   RX slot, the kernel's  --- fill ring --->  kernel  --- receive ring --->  RX slot, the user's
///   TX slot, the user's   --- transmit ring ->  kernel  --- completion ring ->  the same TX slot
/// ```
///
/// Every buffer of a slot that is not the user's is in exactly one of: the fill ring, the kernel's
/// hands, the receive ring; or the transmit ring, the kernel's hands, the completion ring. Where
/// the driver can't do it alone the kernel copies frames into and out of the buffers: copy mode,
/// and generic mode where the driver knows no XDP.
final class XdpQueues implements NicQueues {
  private final String name;
  private final NetDevice device;
  private final Pool pool;
  private final int txSlots;
  private final int rxSlots;
  private final boolean isVeth;

  /** By number; null while the host has it. */
  private volatile @Nullable XdpQueue[] queues = new XdpQueue[0];

  private @Nullable XdpProgram program;

  /** Of queues that were given back since. */
  private XdpDrops pastDrops = XdpDrops.NONE;

  /** For a NIC that was found fit; takes nothing from the host yet. */
  XdpQueues(String name, NetDevice device, Pool pool, int txSlots, int rxSlots, boolean isVeth) {
    this.name = name;
    this.device = device;
    this.pool = pool;
    this.txSlots = txSlots;
    this.rxSlots = rxSlots;
    this.isVeth = isVeth;
  }

  @Override
  public synchronized String description() {
    XdpProgram attached = program;
    if (attached == null) {
      return "AF_XDP";
    }
    if (attached.isGeneric()) {
      return "AF_XDP, generic mode";
    }
    for (XdpQueue queue : queues) {
      if (queue != null && !queue.isZeroCopy()) {
        return "AF_XDP, copy mode";
      }
    }
    return "AF_XDP, zero copy";
  }

  @Override
  public Adapter.Config config() throws NetmapException {
    try {
      int count = XdpFactory.queues(name, device);
      return new Adapter.Config(count, count, 0, 0, txSlots, rxSlots);
    } catch (ErrnoException failed) {
      throw XdpFactory.refusal(name, failed);
    }
  }

  @Override
  public synchronized void open(int number, Kring tx, Kring rx) throws NetmapException {
    try {
      XdpFactory.requireRoomForFrames(name, device, pool);
      if (program == null) {
        int count = Math.max(number + 1, device.channels().rx());
        program = XdpProgram.attach(name, device.index(), count);
        queues = new XdpQueue[count];
      }
      queues[number] = bound(program, number, tx, rx);
    } catch (ErrnoException failed) {
      throw XdpFactory.refusal(name, failed);
    } finally {
      detachWhenUnused();
    }
  }

  private XdpQueue bound(XdpProgram attached, int number, Kring tx, Kring rx)
      throws ErrnoException {
    XdpQueue queue = XdpQueue.open(device.index(), number, tx, rx, pool, isVeth);
    try {
      attached.redirect(number, queue.fd());
      return queue;
    } catch (ErrnoException failed) {
      queue.close();
      throw failed;
    }
  }

  @Override
  public synchronized void close(int number) {
    XdpQueue queue = number < queues.length ? queues[number] : null;
    if (queue == null) {
      return;
    }
    if (program != null) {
      program.pass(number);
    }
    pastDrops = pastDrops.plus(queue.drops());
    queues[number] = null;
    queue.close();
    detachWhenUnused();
  }

  private void detachWhenUnused() {
    for (XdpQueue queue : queues) {
      if (queue != null) {
        return;
      }
    }
    if (program != null) {
      program.close();
      program = null;
    }
  }

  // Whoever calls a sync holds the kring's monitor, and its queue is open while its ring is.

  @Override
  public void txSync(Kring kring) {
    XdpQueue queue = queues[kring.id];
    if (queue != null) {
      queue.txSync();
    }
  }

  @Override
  public void rxSync(Kring kring) {
    XdpQueue queue = queues[kring.id];
    if (queue != null) {
      queue.rxSync();
    }
  }

  @Override
  public int readyFd(Kring kring) {
    XdpQueue queue = queues[kring.id];
    return queue == null || kring.tx ? -1 : queue.fd();
  }

  @Override
  public synchronized @Nullable String failure() {
    for (XdpQueue queue : queues) {
      String failure = queue == null ? null : queue.failure();
      if (failure != null) {
        return failure;
      }
    }
    return null;
  }

  @Override
  public synchronized List<DeviceDrops> drops() {
    XdpDrops sum = pastDrops;
    for (XdpQueue queue : queues) {
      if (queue != null) {
        sum = sum.plus(queue.drops());
      }
    }
    return sum.toList();
  }

  @Override
  public synchronized void close() {
    for (int number = 0; number < queues.length; number++) {
      close(number);
    }
  }
}
