// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Pool;

/** Monitors of the emulated device, one by one and on top of each other. */
final class MonitorsTest {
  private static final int SLOTS = 16;

  private final EmulatedDevice device = Netmap.emulated();
  private final List<EmulatedPort> ports = new ArrayList<>();

  @AfterEach
  void close() {
    ports.forEach(NetmapPort::close);
  }

  private EmulatedPort open(RegisterRequest request) throws NetmapException {
    EmulatedPort port = (EmulatedPort) device.register(request);
    ports.add(port);
    return port;
  }

  private EmulatedPort open(String name, int rings) throws NetmapException {
    return open(RegisterRequest.of(name).withRings(rings, rings, SLOTS, SLOTS));
  }

  private EmulatedPort monitor(String name, long flags) throws NetmapException {
    return open(RegisterRequest.of(name).withFlags(flags));
  }

  private static void put(NetmapPort port, int ringNumber, int mark) {
    NetmapRing ring = port.txRings().get(ringNumber);
    int slot = ring.head();
    Memory.fill(ring.buffer(slot), 12, 0xff);
    Memory.putInt(ring.buffer(slot) + 14, mark);
    ring.set(slot, 60, 0);
    ring.advanceTo(ring.after(slot, 1));
    port.txSync();
  }

  private static List<Integer> take(NetmapPort port, int ringNumber) {
    port.rxSync();
    NetmapRing ring = port.rxRings().get(ringNumber);
    List<Integer> marks = new ArrayList<>();
    int tail = ring.tail();
    int slot = ring.head();
    for (; slot != tail; slot = ring.after(slot, 1)) {
      marks.add((int) Memory.getUnsignedInt(ring.buffer(slot) + 14));
    }
    ring.advanceTo(slot);
    port.rxSync();
    return marks;
  }

  @Test
  void saysThatItsPortIsGone() throws Exception {
    EmulatedPort port = open("vale0:a", 1);
    EmulatedPort monitor = monitor("vale0:a", NetmapAbi.NR_MONITOR_TX);
    assertEquals(Optional.empty(), monitor.failure());
    port.close();
    assertTrue(monitor.failure().orElseThrow().contains("vale0:a"));
    assertEquals(List.of(), device.valePorts(), "it does not keep the port alive");
    EmulatedPort again = open("vale0:a", 1);
    put(again, 0, 1);
    assertEquals(List.of(), take(monitor, 0), "the next port of that name is another one");
  }

  @Test
  void seesTheOneRingItAskedFor() throws Exception {
    EmulatedPort port = open("vale0:a", 3);
    EmulatedPort monitor =
        open(
            RegisterRequest.of("vale0:a")
                .with(PortMode.ONE_NIC, 1)
                .withFlags(NetmapAbi.NR_MONITOR_TX));
    assertEquals(3, monitor.info().rxRings());
    assertEquals(1, monitor.rxRings().size());
    put(port, 0, 1);
    put(port, 1, 2);
    put(port, 2, 3);
    assertEquals(List.of(2), take(monitor, 0));
  }

  @Test
  void marksWhatWasSent() throws Exception {
    EmulatedPort port = open("vale0:a", 1);
    EmulatedPort other = open("vale0:b", 1);
    EmulatedPort monitor = monitor("vale0:a", NetmapAbi.NR_MONITOR_TX | NetmapAbi.NR_MONITOR_RX);
    put(port, 0, 1);
    put(other, 0, 2);
    monitor.rxSync();
    NetmapRing ring = monitor.rxRings().get(0);
    assertEquals(2, ring.space());
    assertNotEquals(0, ring.flags(0) & NetmapAbi.NS_TXMON);
    assertEquals(0, ring.flags(1) & NetmapAbi.NS_TXMON);
  }

  @Test
  void wakesItsReaderEvenWhenThePortsOwnReaderSleepsOn() throws Exception {
    open("vale0:a", 1);
    EmulatedPort other = open("vale0:b", 1);
    EmulatedPort monitor = monitor("vale0:a", NetmapAbi.NR_MONITOR_RX);
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(monitor.fd(), Epoll.IN, 0);
      monitor.arm();
      assertEquals(0, epoll.await(0));
      put(other, 0, 4);
      assertEquals(1, epoll.await(1000));
      monitor.disarm();
    }
    assertEquals(List.of(4), take(monitor, 0));
  }

  @Test
  void countsWhatItLosesAndKeepsTheLatest() throws Exception {
    EmulatedPort port = open("vale0:a", 1);
    EmulatedPort monitor =
        open(
            RegisterRequest.of("vale0:a").withRings(1, 1, 4, 4).withFlags(NetmapAbi.NR_MONITOR_TX));
    NetmapRing tx = port.txRings().get(0);
    for (int i = 0; i < 10; i++) {
      int slot = tx.head();
      Memory.fill(tx.buffer(slot), 12, 0xff);
      Memory.putInt(tx.buffer(slot) + 14, i);
      tx.set(slot, 60, 0);
      tx.advanceTo(tx.after(slot, 1));
    }
    port.txSync();
    assertEquals(List.of(7, 8, 9), take(monitor, 0));
    assertEquals(7, monitor.drops().get(0).frames());
    put(port, 0, 10);
    assertEquals(List.of(10), take(monitor, 0));
  }

  @Test
  void monitorsOfBothKindsSeeTheSameAndHoldUpNobody() throws Exception {
    EmulatedPort one = open("p{1", 1);
    EmulatedPort other = open("p}1", 1);
    EmulatedPort copy = monitor("p{1", NetmapAbi.NR_MONITOR_TX);
    EmulatedPort copy2 = monitor("p}1", NetmapAbi.NR_MONITOR_RX);
    EmulatedPort first = monitor("p}1", NetmapAbi.NR_ZCOPY_MON);
    EmulatedPort second = monitor("p}1", NetmapAbi.NR_ZCOPY_MON);
    Pool memory = one.adapter().memory();
    for (int i = 0; i < 200; i++) {
      put(one, 0, i);
      assertEquals(List.of(i), take(other, 0));
      assertEquals(List.of(i), take(copy, 0));
      assertEquals(List.of(i), take(copy2, 0));
      assertEquals(List.of(i), take(first, 0), "once it is read");
      assertEquals(List.of(i), take(second, 0), "once the first one has read it");
      one.txSync();
      Pool.Census census = memory.census();
      assertEquals(0, census.doubled() + census.lost(), census::toString);
    }
    first.close();
    put(one, 0, 1000);
    assertEquals(List.of(1000), take(other, 0));
    assertEquals(List.of(1000), take(second, 0), "the chain is closed again");
    second.close();
    copy.close();
    copy2.close();
    put(one, 0, 1001);
    assertEquals(List.of(1001), take(other, 0));
    assertEquals(4 * SLOTS, memory.census().slots());
  }

  @Test
  void zeroCopyOfTheSendersSideShowsWhatWasSent() throws Exception {
    EmulatedPort one = open("p{1", 1);
    EmulatedPort other = open("p}1", 1);
    EmulatedPort monitor = monitor("p{1", NetmapAbi.NR_ZCOPY_MON);
    for (int i = 0; i < 100; i++) {
      put(one, 0, i);
      assertEquals(List.of(), take(monitor, 0), "still on its way");
      assertEquals(List.of(i), take(other, 0));
      one.txSync();
      assertEquals(List.of(i), take(monitor, 0));
      assertNotEquals(0, monitor.rxRings().get(0).flags(i % SLOTS) & NetmapAbi.NS_TXMON);
      Pool.Census census = one.adapter().memory().census();
      assertEquals(0, census.doubled() + census.lost(), census::toString);
    }
  }

  @Test
  void sendsNothing() throws Exception {
    open("vale0:a", 1);
    EmulatedPort other = open("vale0:b", 1);
    EmulatedPort monitor = monitor("vale0:a", NetmapAbi.NR_MONITOR_RX);
    int room = monitor.txRings().get(0).space();
    put(monitor, 0, 1);
    assertEquals(room - 1, monitor.txRings().get(0).space(), "the slot does not come back");
    assertEquals(List.of(), take(other, 0));
  }
}
