// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NamedLock;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/// A NIC's queues by AF_PACKET: for devices, frame sizes and rights that AF_XDP has no use for.
///
/// ```
///   wire -> driver -> socket of queue n --recvmmsg--> RX ring n     one copy, the kernel's
///                  -> ingress hook: dropped, so that the host does not answer beside us
///   TX ring n --sendmmsg--> driver -> wire                          past the host's queues and hooks
/// ```
///
/// Frames longer than a buffer become chains of slots (NS_MOREFRAG), and chains are sent as one
/// frame. What a device or a veth's peer left undone is done here: checksums completed, long
/// segments cut, VLAN tags put back.
public final class PacketQueues implements NicQueues {
  /** Makes them. */
  public static final NicQueues.Factory FACTORY =
      new NicQueues.Factory() {
        @Override
        public String name() {
          return "AF_PACKET";
        }

        @Override
        public NicQueues create(String nic, Pool memory, RegisterRequest wishes)
            throws NetmapException {
          return PacketQueues.create(nic, memory, wishes);
        }
      };

  private static final int SLOTS = 1024;
  private static final int FEWEST_SLOTS = 64;
  private static final int MOST_QUEUES = 64;

  private final String name;
  private final NetDevice device;
  private final Pool pool;
  private final QueueMapping mapping;
  private final int queueCount;
  private final int txSlots;
  private final int rxSlots;

  /** By number; null while the host has it. */
  private final @Nullable PacketQueue[] queues;

  private @Nullable NicHook block;
  private @Nullable NamedLock lock;
  private long pastDrops;

  private PacketQueues(
      String name, NetDevice device, Pool pool, QueueMapping mapping, int txSlots, int rxSlots) {
    this.name = name;
    this.pool = pool;
    this.device = device;
    this.mapping = mapping;
    queueCount = mapping.queues();
    this.txSlots = txSlots;
    this.rxSlots = rxSlots;
    queues = new PacketQueue[queueCount];
  }

  private static PacketQueues create(String nic, Pool memory, RegisterRequest wishes)
      throws NetmapException {
    try {
      NetDevice device = NetDevice.of(nic);
      int count = Math.min(device.channels().rx(), MOST_QUEUES);
      QueueMapping mapping = new QueueMapping(count, device.driver().equals("veth"));
      // A socket tells whether we have the right.
      PacketQueue.probe(device);
      int most = (memory.geometry().ringBytes() - NetmapAbi.RING_BYTES) / NetmapAbi.SLOT_BYTES;
      return new PacketQueues(
          nic,
          device,
          memory,
          mapping,
          slots(wishes.txSlots(), most),
          slots(wishes.rxSlots(), most));
    } catch (ErrnoException e) {
      throw new NetmapException("AF_PACKET on " + nic + ": " + e.getMessage(), e.errno(), e);
    }
  }

  private static int slots(int wish, int most) {
    return wish == 0 ? Math.min(SLOTS, most) : Math.clamp(wish, FEWEST_SLOTS, most);
  }

  @Override
  public int longestChain() {
    return PacketTransmitter.PIECES;
  }

  @Override
  public synchronized String description() {
    NicHook held = block;
    return held == null ? "AF_PACKET" : "AF_PACKET, the host kept out by " + held.description();
  }

  @Override
  public Adapter.Config config() {
    return new Adapter.Config(queueCount, queueCount, 0, 0, txSlots, rxSlots);
  }

  @Override
  public synchronized void open(int number, Kring tx, Kring rx) throws NetmapException {
    try {
      if (lock == null) {
        lock = HostPath.lock("packet", name, device);
      }
      PacketQueue queue = PacketQueue.open(device, number, mapping, rx, pool);
      queues[number] = queue;
      try {
        keepHostOut();
      } catch (NetmapException e) {
        queues[number] = null;
        queue.close();
        throw e;
      }
    } catch (ErrnoException e) {
      throw new NetmapException("AF_PACKET on " + name + ": " + e.getMessage(), e.errno(), e);
    } finally {
      unlockWhenUnused();
    }
  }

  private void unlockWhenUnused() {
    for (PacketQueue queue : queues) {
      if (queue != null) {
        return;
      }
    }
    if (lock != null) {
      lock.close();
      lock = null;
    }
  }

  /** The hook for the queues that are open now, and only then the hook before goes. */
  private void keepHostOut() throws NetmapException {
    BitSet open = new BitSet();
    for (int i = 0; i < queueCount; i++) {
      open.set(i, queues[i] != null);
    }
    NicHook old = block;
    NicHook next = open.isEmpty() ? null : NicHook.block(device, open, mapping, old);
    block = next;
    if (old != null && old != next) {
      old.close();
    }
  }

  @Override
  public synchronized void close(int number) {
    PacketQueue queue = queues[number];
    if (queue == null) {
      return;
    }
    queues[number] = null;
    pastDrops += queue.dropped();
    queue.close();
    try {
      keepHostOut();
    } catch (NetmapException e) {
      System.getLogger(PacketQueues.class.getName())
          .log(System.Logger.Level.WARNING, "a queue of " + name + " is not the host's again", e);
    }
    unlockWhenUnused();
  }

  // Whoever calls a sync holds the kring's monitor, and its queue is open while its ring is.

  @Override
  public void txSync(Kring kring) {
    PacketQueue queue = queues[kring.id];
    if (queue != null) {
      queue.transmitter().sync(kring);
    }
  }

  @Override
  public void rxSync(Kring kring) {
    PacketQueue queue = queues[kring.id];
    if (queue != null) {
      queue.receiver().sync(kring);
    }
  }

  @Override
  public int readyFd(Kring kring) {
    PacketQueue queue = queues[kring.id];
    return queue == null || kring.tx ? -1 : queue.receiver().fd();
  }

  @Override
  public @Nullable String failure() {
    for (PacketQueue queue : queues) {
      if (queue != null && queue.isGone()) {
        return "the network device " + name + " is gone";
      }
    }
    return null;
  }

  @Override
  public synchronized List<DeviceDrops> drops() {
    long dropped = pastDrops;
    for (PacketQueue queue : queues) {
      dropped += queue == null ? 0 : queue.dropped();
    }
    List<DeviceDrops> drops = new ArrayList<>();
    if (dropped != 0) {
      drops.add(new DeviceDrops("the socket's buffer was full", dropped));
    }
    return drops;
  }

  @Override
  public synchronized void close() {
    for (int number = 0; number < queueCount; number++) {
      close(number);
    }
  }
}
