// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.nic.NicQueues;
import org.vhostnetmap.netmap.emulated.nic.PacketQueues;
import org.vhostnetmap.netmap.emulated.nic.XdpFactory;

/**
 * Two NICs with their host rings, a pipe, and zero-copy monitors in one memory. Frames come from
 * the wire, from the host and from us, go on by exchange of buffers to any ring, or up and down
 * transparently. After each sync every buffer is in exactly one slot, extra list or free list.
 */
final class EveryBufferTest {
  private static final int BUFFERS = 2048;
  private static final Pool.Geometry ROOM =
      new Pool.Geometry(20, 256, 60, 1280, BUFFERS, 2048, 256);
  private static final int STEPS = 3_000;

  private final Random random = new Random(11);
  private final List<EmulatedPort> ports = new ArrayList<>();
  private int exchanged;
  private int forwarded;
  private int got;

  @Test
  void isCountedWithNicsByXdp() throws Exception {
    count(new XdpFactory());
  }

  @Test
  void isCountedWithNicsByPacketSockets() throws Exception {
    count(PacketQueues.FACTORY);
  }

  private void count(NicQueues.Factory way) throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("eb0", "eb1");
          command("ip", "addr", "add", "10.9.0.1/24", "dev", "eb0");
          EmulatedDevice device = Netmap.emulated(ROOM, List.of(way));
          try {
            openAll(device);
            live(ports.getFirst().adapter().memory());
          } finally {
            ports.forEach(EmulatedPort::close);
          }
          assertFalse(ports.getFirst().adapter().memory().inUse());
        });
    assertTrue(
        exchanged > 200 && forwarded > 50 && got > 500,
        exchanged + " exchanged, " + forwarded + " forwarded, " + got + " got");
  }

  private void openAll(EmulatedDevice device) throws NetmapException {
    RegisterRequest nic = RegisterRequest.of("eb0").withRings(0, 0, 64, 64);
    open(device, nic.with(PortMode.NIC_AND_HOST, 0).withExtraBuffers(10));
    open(device, RegisterRequest.of("eb1").withRings(0, 0, 64, 64).withExtraBuffers(10));
    open(device, RegisterRequest.of("eb0{1").withRings(2, 2, 32, 32));
    open(device, RegisterRequest.of("eb0}1"));
    open(device, RegisterRequest.of("eb0").withFlags(NetmapAbi.NR_ZCOPY_MON));
    open(device, RegisterRequest.of("eb1").withFlags(NetmapAbi.NR_ZCOPY_MON));
    for (EmulatedPort port : ports) {
      port.rxRings().forEach(ring -> ring.setRingFlags(NetmapAbi.NR_FORWARD));
      port.hostRxRings().forEach(ring -> ring.setRingFlags(NetmapAbi.NR_FORWARD));
    }
  }

  private void open(EmulatedDevice device, RegisterRequest request) throws NetmapException {
    ports.add((EmulatedPort) device.register(request));
  }

  private void live(Pool memory) throws Exception {
    for (int step = 0; step < STEPS; step++) {
      EmulatedPort port = ports.get(random.nextInt(ports.size()));
      String what = "step " + step + " at " + port;
      send(port);
      port.txSync();
      assertCounted(memory, what + ", TX");
      receive(port);
      port.rxSync();
      assertCounted(memory, what + ", RX");
      if (step % 200 == 0) {
        // Whatever the host has to say: it asks who has the address.
        new ProcessBuilder("ping", "-c", "1", "-W", "1", "10.9.0." + (2 + step / 200)).start();
      }
    }
  }

  private static void assertCounted(Pool memory, String when) {
    Pool.Census census = memory.census();
    assertEquals(0, census.doubled() + census.lost(), () -> when + ": " + census);
    assertEquals(
        BUFFERS - NetmapAbi.FIRST_BUFFER,
        census.slots() + census.extra() + census.free(),
        () -> when + ": " + census);
  }

  private void send(EmulatedPort port) throws Exception {
    for (NetmapRing ring : port.txRings()) {
      ring.reload();
      int frames = random.nextInt(Math.min(20, ring.space() + 1));
      for (int i = 0; i < frames; i++) {
        write(ring, ring.head());
        ring.advanceTo(ring.after(ring.head(), 1));
      }
    }
  }

  private void write(NetmapRing ring, int slot) throws Exception {
    int length = random.nextInt(60, 1515);
    long mac = NetDevice.of("eb0").mac();
    long buffer = ring.buffer(slot);
    for (int i = 0; i < 6; i++) {
      Memory.putByte(buffer + i, random.nextBoolean() ? 0xff : (int) (mac >> (40 - 8 * i)));
    }
    Memory.putShort(buffer + 12, 0xb588);
    ring.set(slot, length, 0);
  }

  private void receive(EmulatedPort port) {
    port.rxSync();
    List<NetmapRing> rings = new ArrayList<>(port.rxRings());
    rings.addAll(port.hostRxRings());
    for (NetmapRing ring : rings) {
      ring.reload();
      int frames = random.nextInt(ring.space() + 1);
      for (int i = 0; i < frames; i++) {
        int slot = ring.head();
        got++;
        if (random.nextInt(4) == 0) {
          ring.set(slot, ring.length(slot), NetmapAbi.NS_FORWARD);
          forwarded++;
        } else {
          exchange(ring, slot);
        }
        ring.advanceTo(ring.after(slot, 1));
      }
    }
  }

  /** The frame goes on, without a copy, in any ring of any port that has room. */
  private void exchange(NetmapRing from, int slot) {
    EmulatedPort port = ports.get(random.nextInt(ports.size()));
    List<NetmapRing> rings = new ArrayList<>(port.txRings());
    rings.addAll(port.hostTxRings());
    for (NetmapRing to : rings) {
      to.reload();
      if (to.space() > 0) {
        to.set(to.head(), from.length(slot), 0);
        to.swap(to.head(), from, slot);
        to.advanceTo(to.after(to.head(), 1));
        exchanged++;
        return;
      }
    }
  }
}
