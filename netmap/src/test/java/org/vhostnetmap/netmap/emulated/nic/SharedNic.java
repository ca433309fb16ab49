// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.io.IOException;
import java.util.List;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;

/**
 * A program that opens a NIC and its host rings and gives each side's frames to the other, without
 * a copy: for the host all is as if it were not there. Also a program of its own, to be killed.
 */
final class SharedNic implements AutoCloseable {
  private final NetmapDevice device;
  final NetmapPort port;
  private final Thread thread;
  private volatile boolean stop;

  SharedNic(String nic, NicQueues.Factory way) throws IOException {
    device = device(way);
    port = device.register(RegisterRequest.of(nic).with(PortMode.NIC_AND_HOST, 0));
    thread = Thread.ofPlatform().name("shared nic").daemon().start(this::forward);
  }

  static NetmapDevice device(NicQueues.Factory way) {
    return new EmulatedDevice(List.of(new NicPorts(List.of(way), HostPath::create)), null);
  }

  private void forward() {
    while (!stop && port.failure().isEmpty()) {
      port.rxSync();
      int moved = 0;
      for (int i = 0; i < port.rxRings().size(); i++) {
        moved += move(port.rxRings().get(i), port.hostTxRings().getFirst());
      }
      moved += move(port.hostRxRings().getFirst(), port.txRings().getFirst());
      port.txSync();
      if (moved == 0) {
        java.util.concurrent.locks.LockSupport.parkNanos(50_000);
      }
    }
  }

  private static int move(NetmapRing from, NetmapRing to) {
    int count = Math.min(from.space(), to.space());
    int slot = from.head();
    int target = to.head();
    for (int i = 0; i < count; i++) {
      to.set(target, from.length(slot), from.flags(slot));
      from.swap(slot, to, target);
      slot = from.after(slot, 1);
      target = to.after(target, 1);
    }
    from.advanceTo(slot);
    to.advanceTo(target);
    return count;
  }

  @Override
  public void close() {
    stop = true;
    Peer.join(thread);
    port.close();
    device.close();
  }

  /** {@code NIC xdp|packet}; says how the NIC was opened, and that it is. */
  public static void main(String[] arguments) throws Exception {
    NicQueues.Factory way = arguments[1].equals("xdp") ? new XdpFactory() : PacketQueues.FACTORY;
    try (SharedNic shared = new SharedNic(arguments[0], way)) {
      System.out.println(shared.port.description());
      System.out.println("ready");
      Peer.join(shared.thread);
    }
  }
}
