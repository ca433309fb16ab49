// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * A netmap whose ports have any number of ring pairs and whose other side is the test: it puts
 * frames into RX rings, sees what is sent, refuses opens and lets ports fail. Thread-safe.
 */
final class FakeNetmap implements NetmapDevice {
  private final int txRings;
  private final int rxRings;

  /** All opens ever made, closed ones too. */
  final List<Open> opens = new ArrayList<>();

  private int refusedFrom;

  /** What the next opens are refused with, or null. */
  volatile @Nullable NetmapException refusal;

  FakeNetmap(int txRings, int rxRings) {
    this.txRings = txRings;
    this.rxRings = rxRings;
  }

  synchronized List<Open> openNow() {
    return opens.stream().filter(open -> !open.closed).toList();
  }

  /** The opens from the one with this number on are refused. */
  void refuseFrom(int number, NetmapException why) {
    refusedFrom = number;
    refusal = why;
  }

  @Override
  public String description() {
    return "a fake netmap";
  }

  @Override
  public synchronized NetmapPort register(RegisterRequest request) throws NetmapException {
    NetmapException no = refusal;
    if (no != null && opens.size() >= refusedFrom) {
      throw no;
    }
    try {
      Open open = new Open(request);
      opens.add(open);
      return open;
    } catch (ErrnoException e) {
      throw new NetmapException("no memory", e.errno());
    }
  }

  /** One ring pair; slots that are sent are free again at once, and remembered. */
  final class Open implements NetmapPort {
    private static final int SLOTS = 64;

    final List<byte[]> sent = new ArrayList<>();
    private final RegisterRequest request;
    private final TestRings rings = new TestRings(2, SLOTS);
    private final NetmapRing kernelTx = rings.ring(0);
    private final NetmapRing kernelRx = rings.ring(1);
    private final Fd news = EventFd.create();
    private int sentTo;
    volatile boolean armed;
    volatile boolean closed;
    volatile @Nullable String failure;

    Open(RegisterRequest request) throws ErrnoException {
      this.request = request;
      rings.giveAll(0);
    }

    /** A frame comes in; told as a device would. */
    synchronized void arrive(byte[] frame) {
      int slot = kernelRx.tail();
      Memory.copyFromArray(frame, 0, kernelRx.buffer(slot), frame.length);
      kernelRx.set(slot, frame.length, 0);
      rings.setTail(1, kernelRx.after(slot, 1));
      EventFd.signal(news.value());
    }

    synchronized List<byte[]> sent() {
      return List.copyOf(sent);
    }

    @Override
    public RegisterRequest request() {
      return request;
    }

    @Override
    public PortInfo info() {
      return new PortInfo(txRings, rxRings, 1, 1, SLOTS, SLOTS, 1, 1 << 20);
    }

    private List<NetmapRing> bound(int ring, boolean host) {
      boolean mine = request.mode().bindsHost() == host;
      boolean tx = ring == 0;
      boolean without = request.has(tx ? NetmapAbi.NR_RX_RINGS_ONLY : NetmapAbi.NR_TX_RINGS_ONLY);
      return mine && !without ? List.of(rings.ring(ring)) : List.of();
    }

    @Override
    public List<NetmapRing> txRings() {
      return bound(0, false);
    }

    @Override
    public List<NetmapRing> rxRings() {
      return bound(1, false);
    }

    @Override
    public List<NetmapRing> hostTxRings() {
      return bound(0, true);
    }

    @Override
    public List<NetmapRing> hostRxRings() {
      return bound(1, true);
    }

    @Override
    public synchronized void txSync() {
      int head = rings.head(0);
      for (; sentTo != head; sentTo = kernelTx.after(sentTo, 1)) {
        byte[] frame = new byte[kernelTx.length(sentTo)];
        Memory.copyToArray(kernelTx.buffer(sentTo), frame, 0, frame.length);
        sent.add(frame);
      }
      rings.giveAll(0);
    }

    @Override
    public void rxSync() {}

    @Override
    public int fd() {
      return news.value();
    }

    @Override
    public void arm() {
      EventFd.drain(news.value());
      armed = true;
    }

    @Override
    public void disarm() {
      armed = false;
    }

    @Override
    public long buffer(long index) {
      return 0;
    }

    @Override
    public long extraBuffers() {
      return 0;
    }

    @Override
    public void setExtraBuffers(long head) {}

    @Override
    public Optional<String> failure() {
      return Optional.ofNullable(failure);
    }

    @Override
    public List<DeviceDrops> drops() {
      return List.of(new DeviceDrops("a ring was full", 2));
    }

    @Override
    public void close() {
      closed = true;
      news.close();
      rings.close();
    }
  }

  /** A refusal as of a port that is not there. */
  static NetmapException missing() {
    return new NetmapException("there is no such port", Errno.ENXIO);
  }

  @Override
  public PortInfo info(String name, int memoryId) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int attach(RegisterRequest request) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void detach(String name) {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<ValePort> valePorts() {
    return List.of();
  }

  @Override
  public void setHeaderLength(String name, int bytes) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int headerLength(String name) {
    return 0;
  }

  @Override
  public void close() {}

  /** Which ring pairs are open, as mode and number. */
  synchronized List<String> pairs() {
    return openNow().stream()
        .map(
            open ->
                (open.request.mode() == PortMode.ONE_HOST ? "^" : "-")
                    + open.request.ringId()
                    + (open.request.has(NetmapAbi.NR_RX_RINGS_ONLY) ? "R" : "")
                    + (open.request.has(NetmapAbi.NR_TX_RINGS_ONLY) ? "T" : ""))
        .toList();
  }
}
