// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * A NIC of two queues and its host, in arrays: what is sent is kept, what shall arrive is queued.
 * It writes down what it is asked for and fails where it is told to.
 */
final class FakeNic implements NicQueues.Factory, HostRings.Factory {
  final List<String> calls = new ArrayList<>();
  final List<byte[]> onTheWire = new ArrayList<>();
  final List<byte[]> inTheStack = new ArrayList<>();
  final Deque<byte[]> fromTheWire = new ArrayDeque<>();
  final Deque<byte[]> fromTheStack = new ArrayDeque<>();
  private final String way;
  @Nullable String failing;
  boolean drops;
  int errno = Errno.EIO;
  int queues = 2;
  int slots = 8;

  FakeNic(String way) {
    this.way = way;
  }

  private void ask(String call) throws NetmapException {
    if (call.equals(failing)) {
      throw new NetmapException(call + " is told to fail", errno);
    }
    calls.add(call);
  }

  @Override
  public String name() {
    return way;
  }

  @Override
  public NicQueues create(String nic, Pool memory, RegisterRequest wishes) throws NetmapException {
    ask("+nic");
    return new Queues();
  }

  @Override
  public HostRings create(String nic, int txRings, int rxRings) throws NetmapException {
    ask("+host");
    return new Host();
  }

  private static void send(Kring kring, List<byte[]> to) {
    while (kring.hwcur != kring.rhead) {
      byte[] frame = new byte[kring.length(kring.hwcur)];
      Memory.copyToArray(kring.data(kring.hwcur), frame, 0, frame.length);
      to.add(frame);
      kring.hwcur = kring.next(kring.hwcur);
    }
    kring.hwtail = (kring.hwcur + kring.slots - 1) % kring.slots;
  }

  private static void receive(Kring kring, Deque<byte[]> from) {
    kring.hwcur = kring.rhead;
    while (kring.room() > 0 && !from.isEmpty()) {
      byte[] frame = from.remove();
      Memory.copyFromArray(frame, 0, kring.data(kring.hwtail), frame.length);
      kring.setSlot(kring.hwtail, frame.length, 0);
      kring.hwtail = kring.next(kring.hwtail);
    }
  }

  private final class Queues implements NicQueues {
    @Override
    public List<DeviceDrops> drops() {
      return drops ? List.of(new DeviceDrops("in the driver", 100)) : List.of();
    }

    @Override
    public String description() {
      return way;
    }

    @Override
    public Adapter.Config config() throws NetmapException {
      ask("config");
      return new Adapter.Config(queues, queues, 0, 0, slots, slots);
    }

    @Override
    public void open(int queue, Kring tx, Kring rx) throws NetmapException {
      ask("+queue " + queue);
    }

    @Override
    public void close(int queue) {
      calls.add("-queue " + queue);
    }

    @Override
    public void txSync(Kring kring) {
      send(kring, onTheWire);
    }

    @Override
    public void rxSync(Kring kring) {
      receive(kring, fromTheWire);
    }

    @Override
    public int readyFd(Kring kring) {
      return -1;
    }

    @Override
    public @Nullable String failure() {
      return null;
    }

    @Override
    public void close() {
      calls.add("-nic");
    }
  }

  private final class Host implements HostRings {
    @Override
    public List<DeviceDrops> drops() {
      return drops ? List.of(new DeviceDrops("on the way to the host", 7)) : List.of();
    }

    @Override
    public String description() {
      return "an array";
    }

    @Override
    public void cut(boolean on) throws NetmapException {
      ask(on ? "+cut" : "-cut");
    }

    @Override
    public void open(int ring, Kring kring) throws NetmapException {
      ask("+host " + (kring.tx ? "t" : "r") + ring);
    }

    @Override
    public void close(int ring, Kring kring) {
      calls.add("-host " + (kring.tx ? "t" : "r") + ring);
    }

    @Override
    public void txSync(Kring kring) {
      FakeNic.send(kring, inTheStack);
    }

    @Override
    public void rxSync(Kring kring) {
      receive(kring, fromTheStack);
    }

    @Override
    public int readyFd(Kring kring) {
      return -1;
    }

    @Override
    public boolean send(long address, int length) {
      byte[] frame = new byte[length];
      Memory.copyToArray(address, frame, 0, length);
      inTheStack.add(frame);
      return true;
    }

    @Override
    public @Nullable String failure() {
      return null;
    }

    @Override
    public void close() {
      calls.add("-host");
    }
  }
}
