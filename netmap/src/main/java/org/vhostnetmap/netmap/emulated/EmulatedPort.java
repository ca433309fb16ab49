// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/** One open of a port of the emulated netmap. */
public final class EmulatedPort implements NetmapPort {
  private final Ports ports;
  private final RegisterRequest request;
  private final Registration registration;
  private final Adapter adapter;
  private final Pool memory;
  private final PortInfo info;
  private final Kring[] tx;
  private final Kring[] rx;
  private final boolean forwardDown;
  private final Alarm alarm;
  private final Epoll ready;

  /** By kring, TX first: the descriptor that {@link #ready} watches for it, or -1. */
  private final int[] watched;

  private boolean armed;
  private final List<NetmapRing> txRings = new ArrayList<>();
  private final List<NetmapRing> rxRings = new ArrayList<>();
  private final List<NetmapRing> hostTxRings = new ArrayList<>();
  private final List<NetmapRing> hostRxRings = new ArrayList<>();
  private volatile boolean closed;

  /** Under the device's lock. */
  EmulatedPort(Ports ports, Registration registration, RegisterRequest request)
      throws ErrnoException {
    this.ports = ports;
    this.request = request;
    this.registration = registration;
    adapter = registration.adapter();
    memory = adapter.memory();
    info = infoOf(adapter);
    tx = registration.tx();
    rx = registration.rx();
    forwardDown = registration.mayForwardDown();
    for (Kring kring : tx) {
      (kring.host ? hostTxRings : txRings).add(view(kring));
    }
    for (Kring kring : rx) {
      (kring.host ? hostRxRings : rxRings).add(view(kring));
    }
    watched = new int[tx.length + rx.length];
    alarm = new Alarm();
    try {
      ready = epoll(alarm);
    } catch (ErrnoException e) {
      alarm.close();
      throw e;
    }
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        kring.addAlarm(alarm);
      }
    }
  }

  private static Epoll epoll(Alarm alarm) throws ErrnoException {
    Epoll epoll = new Epoll(1);
    try {
      epoll.add(alarm.fd(), Epoll.IN, 0);
    } catch (ErrnoException e) {
      epoll.close();
      throw e;
    }
    return epoll;
  }

  static PortInfo infoOf(Adapter adapter) {
    Adapter.Config config = adapter.current;
    return new PortInfo(
        config.txRings(),
        config.rxRings(),
        config.hostTxRings(),
        config.hostRxRings(),
        config.txSlots(),
        config.rxSlots(),
        adapter.memory().id(),
        adapter.memory().bytes());
  }

  private NetmapRing view(Kring kring) {
    return new NetmapRing(kring.ring, memory.address(), memory.bytes(), memory.usableBytes());
  }

  @Override
  public RegisterRequest request() {
    return request;
  }

  @Override
  public String description() {
    synchronized (ports.lock()) {
      return adapter.description();
    }
  }

  @Override
  public int longestChain() {
    synchronized (ports.lock()) {
      return request.mode().bindsHost() ? 1 : adapter.longestChain();
    }
  }

  @Override
  public PortInfo info() {
    return info;
  }

  @Override
  public List<NetmapRing> txRings() {
    return List.copyOf(txRings);
  }

  @Override
  public List<NetmapRing> rxRings() {
    return List.copyOf(rxRings);
  }

  @Override
  public List<NetmapRing> hostTxRings() {
    return List.copyOf(hostTxRings);
  }

  @Override
  public List<NetmapRing> hostRxRings() {
    return List.copyOf(hostRxRings);
  }

  @Override
  public void txSync() {
    for (Kring kring : tx) {
      kring.txSync();
    }
  }

  @Override
  public void rxSync() {
    for (Kring kring : rx) {
      kring.rxSync(forwardDown);
    }
  }

  @Override
  public int fd() {
    return ready.fd();
  }

  /**
   * The rings' own descriptors are watched only from here to {@link #disarm}: a socket that is
   * watched wakes its watcher for each frame, whether he sleeps or not.
   */
  @Override
  public void arm() {
    alarm.arm();
    if (armed) {
      return;
    }
    armed = true;
    int i = 0;
    for (Kring kring : tx) {
      watched[i++] = watch(kring);
    }
    for (Kring kring : rx) {
      watched[i++] = watch(kring);
    }
  }

  private int watch(Kring kring) {
    int fd = adapter.readyFd(kring);
    if (fd >= 0) {
      try {
        ready.add(fd, Epoll.IN, 0);
      } catch (ErrnoException e) {
        // Its ring was taken apart meanwhile, or the kernel is out of memory: as a false alarm, so
        // that the sleeper looks again.
        alarm.wake();
        return -1;
      }
    }
    return fd;
  }

  @Override
  public void disarm() {
    if (armed) {
      armed = false;
      for (int fd : watched) {
        if (fd >= 0) {
          ready.remove(fd);
        }
      }
    }
    alarm.disarm();
  }

  @Override
  public long buffer(long index) {
    return memory.isBuffer(index) && !closed ? memory.data(index) : 0;
  }

  @Override
  public long extraBuffers() {
    return closed ? 0 : Memory.getUnsignedInt(registration.netmapIf() + NetmapAbi.IF_BUFS_HEAD);
  }

  @Override
  public void setExtraBuffers(long head) {
    if (!closed) {
      Memory.putInt(registration.netmapIf() + NetmapAbi.IF_BUFS_HEAD, (int) head);
    }
  }

  @Override
  public Optional<String> failure() {
    return Optional.ofNullable(adapter.failure());
  }

  @Override
  public List<DeviceDrops> drops() {
    Map<String, Long> sum = new LinkedHashMap<>();
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        kring.drops().forEach(drop -> sum.merge(drop.reason(), drop.frames(), Long::sum));
        adapter.drops(kring).forEach(drop -> sum.merge(drop.reason(), drop.frames(), Long::sum));
      }
    }
    return sum.entrySet().stream()
        .map(entry -> new DeviceDrops(entry.getKey(), entry.getValue()))
        .toList();
  }

  /** What this port is an open of; for the device's own parts. */
  public Adapter adapter() {
    return adapter;
  }

  /** Distance of this open's netmap_if from the region's beginning: nr_offset. */
  public long offset() {
    return registration.netmapIf() - memory.address();
  }

  @Override
  public void close() {
    synchronized (ports.lock()) {
      if (closed) {
        return;
      }
      closed = true;
      for (Kring[] krings : new Kring[][] {tx, rx}) {
        for (Kring kring : krings) {
          kring.removeAlarm(alarm);
        }
      }
      ready.close();
      alarm.close();
      registration.unwind();
      ports.release(adapter);
    }
  }

  @Override
  public String toString() {
    return request.name();
  }
}
