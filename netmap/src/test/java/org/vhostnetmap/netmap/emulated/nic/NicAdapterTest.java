// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Pool;

/** A NIC over queues and a host that are arrays; {@code lo} lends the name. */
final class NicAdapterTest {
  private static final Pool.Geometry SMALL = new Pool.Geometry(4, 256, 8, 512, 80, 2048, 256);
  private static final RegisterRequest ALL = RegisterRequest.of("lo");
  private static final RegisterRequest BOTH = ALL.with(PortMode.NIC_AND_HOST, 0);

  private final FakeNic nic = new FakeNic("the better way");
  private final EmulatedDevice device =
      new EmulatedDevice(SMALL, List.of(new NicPorts(List.of(nic), nic)), null);

  private static EmulatedPort open(EmulatedDevice on, RegisterRequest request)
      throws NetmapException {
    return (EmulatedPort) on.register(request);
  }

  private static byte[] frame(int value) {
    byte[] frame = new byte[60];
    java.util.Arrays.fill(frame, (byte) value);
    return frame;
  }

  private static void assertCounted(EmulatedPort port, int slots) {
    assertEquals(new Pool.Census(slots, 0, 78 - slots, 0, 0), port.adapter().memory().census());
  }

  @Test
  void takesTheNicFromTheHostAndGivesItBackInReverse() throws NetmapException {
    open(device, BOTH).close();
    assertEquals(
        List.of(
            "+nic",
            "config",
            "+queue 0",
            "+queue 1",
            "+host",
            "+cut",
            "+host t0",
            "+host r0",
            "-host t0",
            "-host r0",
            "-queue 0",
            "-queue 1",
            "-host",
            "-nic"),
        nic.calls);
  }

  @Test
  void withoutHostRingsTheHostIsCutOffAllTheSame() throws NetmapException {
    try (EmulatedPort port = open(device, ALL.with(PortMode.ONE_NIC, 1))) {
      assertEquals(1, port.rxRings().size());
      assertEquals(List.of("+nic", "config", "+queue 1", "+host", "+cut"), nic.calls);
    }
  }

  @Test
  void withHostRingsAloneTheHostKeepsItsNic() throws NetmapException {
    try (EmulatedPort port = open(device, ALL.with(PortMode.HOST, 0))) {
      assertEquals(1, port.hostRxRings().size());
      assertEquals(List.of("+nic", "config", "+host", "+host t0", "+host r0"), nic.calls);
      nic.calls.clear();
      open(device, ALL.with(PortMode.ONE_NIC, 0)).close();
      assertEquals(List.of("+queue 0", "+cut", "-queue 0", "-cut"), nic.calls);
    }
  }

  @Test
  void usersOfSeveralQueuesComeAndGo() throws NetmapException {
    EmulatedPort first = open(device, ALL.with(PortMode.ONE_NIC, 0));
    EmulatedPort second = open(device, BOTH);
    nic.calls.clear();
    first.close();
    assertEquals(List.of(), nic.calls);
    second.close();
    assertEquals(
        List.of("-host t0", "-host r0", "-queue 0", "-queue 1", "-host", "-nic"), nic.calls);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"+nic", "config", "+queue 0", "+queue 1", "+host", "+cut", "+host t0", "+host r0"})
  void whereverItFailsWhatWasDoneIsUndoneInReverse(String step) throws NetmapException {
    nic.failing = step;
    NetmapException refusal = assertThrows(NetmapException.class, () -> device.register(BOTH));
    assertEquals(Errno.EIO, refusal.errno());
    assertTrue(refusal.toString().contains(step), refusal.toString());
    long begun = nic.calls.stream().filter(call -> call.startsWith("+")).count();
    long ended = nic.calls.stream().filter(call -> call.startsWith("-")).count();
    assertEquals(begun, ended, nic.calls.toString());
    nic.failing = null;
    nic.calls.clear();
    open(device, BOTH).close();
    assertEquals(14, nic.calls.size());
  }

  @Test
  void aSecondUserWhoFailsTakesNothingFromTheFirst() throws NetmapException {
    try (EmulatedPort first = open(device, ALL.with(PortMode.ONE_NIC, 0))) {
      nic.calls.clear();
      nic.failing = "+host r0";
      assertThrows(NetmapException.class, () -> device.register(BOTH));
      assertEquals(List.of("+queue 1", "+host t0", "-host t0", "-queue 1"), nic.calls);
      nic.fromTheWire.add(frame(1));
      first.rxSync();
      assertEquals(1, first.rxRings().getFirst().space());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"+host", "+cut"})
  void aNicWithoutAHostPathServesItsQueuesAndSaysSo(String step) throws NetmapException {
    nic.failing = step;
    try (EmulatedPort port = open(device, ALL)) {
      assertEquals(2, port.txRings().size());
      assertTrue(port.description().contains("still transmits beside us"), port.description());
      assertThrows(NetmapException.class, () -> device.register(ALL.with(PortMode.HOST, 0)));
      nic.failing = null;
      nic.calls.clear();
      try (EmulatedPort host = open(device, ALL.with(PortMode.HOST, 0))) {
        assertEquals(List.of("+host", "+cut", "+host t0", "+host r0"), nic.calls);
        assertFalse(host.description().contains("beside us"), host.description());
      }
    }
    assertEquals(
        List.of("-host t0", "-host r0", "-queue 0", "-queue 1", "-host", "-nic"),
        nic.calls.subList(4, nic.calls.size()));
  }

  @Test
  void aNicThatSomebodyElseHasIsBusyByAnyWay() {
    FakeNic plain = new FakeNic("the plain way");
    nic.failing = "+queue 0";
    nic.errno = Errno.EBUSY;
    EmulatedDevice two =
        new EmulatedDevice(SMALL, List.of(new NicPorts(List.of(nic, plain), plain)), null);
    NetmapException refusal = assertThrows(NetmapException.class, () -> two.register(ALL));
    assertEquals(Errno.EBUSY, refusal.errno());
    assertEquals(List.of(), plain.calls);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 8, 16, 64, 120})
  void aNicOfManyQueuesGetsShorterRingsThatLeaveRoomForTheNext(int queues) throws NetmapException {
    nic.queues = queues;
    nic.slots = 1024;
    EmulatedDevice usual = new EmulatedDevice(List.of(new NicPorts(List.of(nic), nic)), null);
    try (EmulatedPort port = open(usual, ALL)) {
      int slots = port.info().rxSlots();
      assertEquals(1, Integer.bitCount(slots));
      assertTrue(slots >= 64 && slots <= 1024, slots + " slots");
      assertEquals(queues, port.rxRings().size());
      assertTrue(port.adapter().memory().freeBuffers() >= 16_000);
    }
  }

  @Test
  void slotsThatWereAskedForAreNotTakenAway() throws NetmapException {
    nic.queues = 16;
    nic.slots = 512; // as the way has it from the wish
    EmulatedDevice usual = new EmulatedDevice(List.of(new NicPorts(List.of(nic), nic)), null);
    try (EmulatedPort port = open(usual, ALL.withRings(0, 0, 512, 0))) {
      assertEquals(512, port.info().txSlots());
      assertEquals(256, port.info().rxSlots());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"+nic", "+queue 1"})
  void theNextWayIsTakenWhenOneDoesNotWorkAndTheReasonIsKept(String step) throws NetmapException {
    FakeNic plain = new FakeNic("the plain way");
    nic.failing = step;
    EmulatedDevice two =
        new EmulatedDevice(SMALL, List.of(new NicPorts(List.of(nic, plain), plain)), null);
    try (EmulatedPort port = open(two, ALL)) {
      String description = port.description();
      assertTrue(description.startsWith("lo by the plain way"), description);
      assertTrue(description.contains("not by the better way: " + step), description);
    }
    assertFalse(nic.calls.contains("+nic") && !nic.calls.contains("-nic"), nic.calls.toString());
    plain.failing = "+nic";
    NetmapException refusal = assertThrows(NetmapException.class, () -> two.register(ALL));
    assertTrue(refusal.toString().contains("the better way"), refusal.toString());
    assertTrue(refusal.toString().contains("the plain way"), refusal.toString());
  }

  @Test
  void onlyNamesOfNetworkDevicesAreNics() {
    for (String name : List.of("lo:1", "no-such-device", "a-name-of-16-byte")) {
      NetmapException refusal =
          assertThrows(
              NetmapException.class, () -> device.register(RegisterRequest.of(name)), name);
      assertEquals(Errno.ENXIO, refusal.errno());
    }
  }

  @Test
  void asksForMoreHostRingsAreMet() throws NetmapException {
    try (EmulatedPort port = open(device, BOTH.withHostRings(2, 2))) {
      assertEquals(2, port.hostTxRings().size());
      assertEquals(3, port.hostRxRings().get(1).id());
      assertEquals(2, port.info().hostRxRings());
    }
  }

  @Test
  void framesOfTheNicGoUpToTheHostWhenTheyAreReleasedWithTheFlag() throws NetmapException {
    try (EmulatedPort port = open(device, ALL)) {
      NetmapRing ring = port.rxRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      for (int i = 1; i <= 3; i++) {
        nic.fromTheWire.add(frame(i));
      }
      port.rxSync();
      assertEquals(3, ring.space());
      ring.set(0, 60, NetmapAbi.NS_FORWARD);
      ring.set(2, 60, NetmapAbi.NS_FORWARD);
      ring.advanceTo(2);
      port.rxSync();
      assertEquals(1, nic.inTheStack.size());
      assertEquals(1, nic.inTheStack.getFirst()[5]);
      assertEquals(0, ring.flags(0));
      ring.advanceTo(3);
      port.rxSync();
      assertEquals(2, nic.inTheStack.size());
      assertEquals(3, nic.inTheStack.get(1)[59]);
      assertCounted(port, 48);
    }
  }

  @Test
  void withoutTheRingsFlagNothingIsForwarded() throws NetmapException {
    try (EmulatedPort port = open(device, ALL)) {
      NetmapRing ring = port.rxRings().getFirst();
      nic.fromTheWire.add(frame(1));
      port.rxSync();
      ring.set(0, 60, NetmapAbi.NS_FORWARD);
      ring.advanceTo(1);
      port.rxSync();
      assertEquals(0, nic.inTheStack.size());
    }
  }

  @Test
  void framesOfTheHostGoDownToTheNicByExchangingBuffers() throws NetmapException {
    try (EmulatedPort port = open(device, BOTH)) {
      NetmapRing ring = port.hostRxRings().getFirst();
      NetmapRing out = port.txRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      nic.fromTheStack.add(frame(7));
      port.rxSync();
      long buffer = ring.bufferIndex(0);
      ring.set(0, ring.length(0), NetmapAbi.NS_FORWARD);
      ring.advanceTo(1);
      port.rxSync();
      assertEquals(buffer, out.bufferIndex(0));
      assertEquals(NetmapAbi.NS_BUF_CHANGED, out.flags(0));
      assertEquals(NetmapAbi.NS_BUF_CHANGED, ring.flags(0));
      assertEquals(0, nic.onTheWire.size());
      out.reload();
      assertEquals(1, out.head());
      port.txSync();
      assertEquals(7, nic.onTheWire.getFirst()[0]);
      assertEquals(60, nic.onTheWire.getFirst().length);
      assertCounted(port, 48);
    }
  }

  @Test
  void framesOfTheHostNeedAllOfTheNicsTxRings() throws NetmapException {
    try (EmulatedPort port = open(device, ALL.with(PortMode.HOST, 0))) {
      NetmapRing ring = port.hostRxRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      nic.fromTheStack.add(frame(7));
      port.rxSync();
      ring.set(0, 60, NetmapAbi.NS_FORWARD);
      ring.advanceTo(1);
      try (EmulatedPort other = open(device, ALL)) {
        port.rxSync();
        other.txSync();
      }
      assertEquals(0, nic.onTheWire.size());
    }
  }

  @Test
  void framesOfTheHostForWhichTheNicHasNoRoomAreCounted() throws NetmapException {
    try (EmulatedPort port = open(device, BOTH)) {
      NetmapRing ring = port.hostRxRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      for (NetmapRing out : port.txRings()) {
        out.advanceTo(out.after(0, out.space() - 1));
      }
      for (int i = 0; i < 4; i++) {
        nic.fromTheStack.add(frame(i));
      }
      port.rxSync();
      for (int i = 0; i < 4; i++) {
        ring.set(i, 60, NetmapAbi.NS_FORWARD);
      }
      ring.advanceTo(4);
      port.rxSync();
      assertEquals(List.of(new DeviceDrops("no room to forward the frame", 2)), port.drops());
      port.txSync();
      assertEquals(14, nic.onTheWire.size());
      assertCounted(port, 48);
    }
  }

  @Test
  void whatHasNoBufferOrNoLengthIsNotForwarded() throws NetmapException {
    try (EmulatedPort port = open(device, ALL)) {
      NetmapRing ring = port.rxRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      for (int i = 0; i < 3; i++) {
        nic.fromTheWire.add(frame(i));
      }
      port.rxSync();
      long kept = ring.bufferIndex(0);
      Memory.putInt(ring.address() + 256, 1);
      ring.set(0, 60, NetmapAbi.NS_FORWARD);
      ring.set(1, 13, NetmapAbi.NS_FORWARD);
      ring.set(2, 1793, NetmapAbi.NS_FORWARD);
      ring.advanceTo(3);
      port.rxSync();
      assertEquals(0, nic.inTheStack.size());
      assertEquals(3, port.drops().stream().mapToLong(DeviceDrops::frames).sum());
      Memory.putInt(ring.address() + 256, (int) kept);
    }
  }

  @Test
  void whatADriverDroppedIsToldByOneOpenOnly() throws NetmapException {
    nic.drops = true;
    try (EmulatedPort first = open(device, ALL.with(PortMode.ONE_NIC, 1));
        EmulatedPort second = open(device, ALL.with(PortMode.ONE_HOST, 0))) {
      assertEquals(List.of(new DeviceDrops("in the driver", 100)), first.drops());
      assertEquals(List.of(new DeviceDrops("on the way to the host", 7)), second.drops());
      try (EmulatedPort third = open(device, ALL.with(PortMode.ONE_NIC, 0))) {
        assertEquals(List.of(), first.drops());
        assertEquals(List.of(new DeviceDrops("in the driver", 100)), third.drops());
      }
    }
  }

  @Test
  void theNetmapIfListsNicTxHostTxNicRxHostRx() throws NetmapException {
    try (EmulatedPort port = open(device, BOTH)) {
      long nifp = port.adapter().memory().address() + port.offset();
      int[][] wanted = {{1, 0}, {1, 1}, {1, 2}, {0, 0}, {0, 1}, {0, 2}};
      for (int i = 0; i < wanted.length; i++) {
        long ring = nifp + Memory.getLong(nifp + 56 + 8L * i);
        assertEquals(wanted[i][0], Memory.getUnsignedShort(ring + 18), "direction of ring " + i);
        assertEquals(wanted[i][1], Memory.getUnsignedShort(ring + 16), "number of ring " + i);
      }
      assertEquals(1, Memory.getUnsignedInt(nifp + 36));
      assertEquals(1, Memory.getUnsignedInt(nifp + 40));
    }
  }

  @Test
  void aFrameOfSeveralSlotsIsForwardedWholeOrNotAtAll() throws NetmapException {
    try (EmulatedPort port = open(device, ALL)) {
      NetmapRing ring = port.rxRings().getFirst();
      ring.setRingFlags(NetmapAbi.NR_FORWARD);
      for (int i = 0; i < 4; i++) {
        nic.fromTheWire.add(frame(i));
      }
      port.rxSync();
      int more = NetmapAbi.NS_FORWARD | NetmapAbi.NS_MOREFRAG;
      ring.set(0, 60, more);
      ring.set(1, 60, more);
      ring.set(2, 60, NetmapAbi.NS_FORWARD);
      ring.set(3, 60, NetmapAbi.NS_FORWARD);
      ring.advanceTo(1);
      port.rxSync();
      ring.advanceTo(4);
      port.rxSync();
      assertEquals(1, nic.inTheStack.size());
      assertEquals(3, nic.inTheStack.getFirst()[0]);
      assertEquals(List.of(new DeviceDrops("the frame spans several slots", 1)), port.drops());
    }
  }
}
