// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.vhostnetmap.linux.DeviceFile;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * One open of {@code /dev/netmap}.
 *
 * <p>Waiting on {@link #fd} is polling the kernel's netmap, which syncs the RX rings in the waiting
 * thread, so that has to be the thread that walks them. It is an epoll descriptor with the netmap
 * descriptor in it, because room in TX rings is asked for only while one is full: else it would be
 * told all the time.
 */
final class KernelPort implements NetmapPort {
  private static final int NI_TX_RINGS = 24;
  private static final int NI_RX_RINGS = 28;
  private static final int NI_BUFS_HEAD = 32;
  private static final int NI_HOST_TX_RINGS = 36;
  private static final int NI_HOST_RX_RINGS = 40;
  private static final int NI_RING_OFS = 56;
  private static final int MOST_RINGS = 1024;

  private final NetmapCalls calls;
  private final Regions regions;
  private final Regions.Region region;
  private final RegisterRequest request;
  private final PortInfo info;
  private final Fd fd;
  private final Epoll waiting;
  private final long nif;
  private final boolean alone;
  private final List<NetmapRing> txRings;
  private final List<NetmapRing> hostTxRings;
  private final List<NetmapRing> rxRings;
  private final List<NetmapRing> hostRxRings;
  private final NetmapRing[] tx;
  private final NetmapRing[] rx;
  private final AtomicBoolean closed = new AtomicBoolean();
  private long buffer0;
  private long bufferBytes;
  private long buffers;
  private int watched = Epoll.IN;
  private volatile boolean gone;
  private final LongAdder wrongHeads = new LongAdder();

  /** Takes over {@code fd} and its use of {@code region}, both also when this fails. */
  KernelPort(
      NetmapCalls calls,
      Regions regions,
      Regions.Region region,
      Fd fd,
      RegisterRequest request,
      Registered registered)
      throws NetmapException {
    this.calls = calls;
    this.regions = regions;
    this.region = region;
    this.fd = fd;
    this.request = request;
    info = registered.info();
    alone = request.has(NetmapAbi.NR_EXCLUSIVE);
    Epoll epoll = null;
    try {
      nif = checkedInterface(registered.interfaceOffset());
      int count = ringCount(NI_TX_RINGS, 0);
      int hostCount = ringCount(NI_HOST_TX_RINGS, 1);
      txRings = rings(0, count);
      hostTxRings = rings(count, hostCount);
      int first = count + hostCount;
      count = ringCount(NI_RX_RINGS, 0);
      rxRings = rings(first, count);
      hostRxRings = rings(first + count, ringCount(NI_HOST_RX_RINGS, 1));
      tx = both(txRings, hostTxRings);
      rx = both(rxRings, hostRxRings);
      epoll = new Epoll(1);
      epoll.add(fd.value(), watched, 0);
      waiting = epoll;
    } catch (ErrnoException | IllegalArgumentException e) {
      if (epoll != null) {
        epoll.close();
      }
      fd.close();
      regions.release(region);
      throw new NetmapException(
          "netmap port " + request.name() + ": " + e.getMessage(), Errno.EIO, e);
    }
  }

  private long checkedInterface(long offset) {
    if (offset < 0 || offset > region.bytes() - NI_RING_OFS) {
      throw new IllegalArgumentException("a netmap_if at " + offset + " outside the memory");
    }
    return region.address() + offset;
  }

  /** Modules from before several host rings leave 0 where their number is now. */
  private int ringCount(int field, int least) {
    long count = Memory.getUnsignedInt(nif + field);
    if (count > MOST_RINGS) {
      throw new IllegalArgumentException("a port of " + count + " rings");
    }
    return Math.max((int) count, least);
  }

  /** The rings that this open binds among those of the table; the entry of another is 0. */
  private List<NetmapRing> rings(int first, int count) {
    List<NetmapRing> rings = new ArrayList<>();
    for (int i = first; i < first + count; i++) {
      long entry = nif + NI_RING_OFS + (long) Long.BYTES * i;
      if (entry > region.address() + region.bytes() - Long.BYTES) {
        throw new IllegalArgumentException("a table of rings that ends outside the memory");
      }
      long offset = Memory.getLong(entry);
      if (offset != 0) {
        rings.add(ring(nif + offset));
      }
    }
    return List.copyOf(rings);
  }

  private NetmapRing ring(long address) {
    NetmapRing ring = new NetmapRing(address, region.address(), region.bytes());
    // What a former user of the ring left there would hold for us: transparent mode, for one.
    Memory.putInt(address + NetmapAbi.RING_FLAGS, 0);
    buffer0 = address + Memory.getLong(address + NetmapAbi.RING_BUF_OFS);
    bufferBytes = Memory.getUnsignedInt(address + NetmapAbi.RING_BUF_SIZE);
    buffers = (region.address() + region.bytes() - buffer0) / bufferBytes;
    return ring;
  }

  private static NetmapRing[] both(List<NetmapRing> one, List<NetmapRing> other) {
    List<NetmapRing> all = new ArrayList<>(one);
    all.addAll(other);
    return all.toArray(NetmapRing[]::new);
  }

  @Override
  public RegisterRequest request() {
    return request;
  }

  @Override
  public PortInfo info() {
    return info;
  }

  @Override
  public List<NetmapRing> txRings() {
    return txRings;
  }

  @Override
  public List<NetmapRing> rxRings() {
    return rxRings;
  }

  @Override
  public List<NetmapRing> hostTxRings() {
    return hostTxRings;
  }

  @Override
  public List<NetmapRing> hostRxRings() {
    return hostRxRings;
  }

  @Override
  public void txSync() {
    sync(tx, NetmapCalls.NIOCTXSYNC);
  }

  @Override
  public void rxSync() {
    sync(rx, NetmapCalls.NIOCRXSYNC);
  }

  private void sync(NetmapRing[] rings, long code) {
    if (alone) {
      for (NetmapRing ring : rings) {
        if (!ring.beforeSync()) {
          wrongHeads.increment();
        }
      }
    }
    // The one error there is: EIO, when the interface is gone.
    if (calls.ioctl(fd.value(), code, 0) < 0) {
      gone = true;
    }
  }

  @Override
  public int fd() {
    return waiting.fd();
  }

  /** Rings whose interface is gone make every poll say POLLERR, so they are not watched at all. */
  @Override
  public void arm() {
    int wanted = gone ? 0 : anyFull() ? Epoll.IN | Epoll.OUT : Epoll.IN;
    if (wanted != watched) {
      try {
        waiting.modify(fd.value(), wanted, 0);
        watched = wanted;
      } catch (ErrnoException e) {
        throw new IllegalStateException("netmap port " + request.name() + " was closed", e);
      }
    }
  }

  private boolean anyFull() {
    for (NetmapRing ring : tx) {
      if (ring.space() == 0) {
        return true;
      }
    }
    return false;
  }

  /** What is watched stays so: nobody looks until the next {@link #arm}. */
  @Override
  public void disarm() {}

  @Override
  public long buffer(long index) {
    return index >= NetmapAbi.FIRST_BUFFER && index < buffers && !closed.get()
        ? buffer0 + index * bufferBytes
        : 0;
  }

  @Override
  public long extraBuffers() {
    return closed.get() ? 0 : Memory.getUnsignedInt(nif + NI_BUFS_HEAD);
  }

  @Override
  public void setExtraBuffers(long head) {
    if (!closed.get()) {
      Memory.putInt(nif + NI_BUFS_HEAD, (int) head);
    }
  }

  @Override
  public Optional<String> failure() {
    if (closed.get()) {
      return Optional.of("the port is closed");
    }
    if (gone) {
      return Optional.of("the interface of netmap port " + request.name() + " was taken away");
    }
    int events = DeviceFile.poll(fd.value(), 0);
    return events < 0 || (events & Epoll.ERR) != 0
        ? Optional.of("netmap port " + request.name() + " is no longer in netmap mode")
        : Optional.empty();
  }

  @Override
  public List<DeviceDrops> drops() {
    long wrong = wrongHeads.sum();
    return wrong == 0
        ? List.of()
        : List.of(new DeviceDrops("bursts withdrawn: head beyond tail", wrong));
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      waiting.close();
      fd.close();
      regions.release(region);
    }
  }
}
