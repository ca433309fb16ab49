// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortName;
import org.vhostnetmap.netmap.RegisterRequest;

/** A netmap port on the bridge: which rings it takes, what moves, and how it goes and comes. */
final class NetmapBridgePortTest {
  private static NetmapBridgePort port(Lan lan, FakeNetmap netmap, String name) throws Exception {
    RegisterRequest request = PortName.parse(name).request();
    var settings = new NicSettings(false, false, false);
    return new NetmapBridgePort(name, lan.bridge, lan.loop, netmap, request, settings);
  }

  private static NetmapStatus netmapStatus(Lan lan, String name) {
    return status(lan, name).netmap().orElseThrow();
  }

  private static PortStatus status(Lan lan, String name) {
    return lan.status().ports().stream()
        .filter(port -> port.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void takesEachRingPairWithAnOpenOfItsOwnForItselfAlone() throws Exception {
    var netmap = new FakeNetmap(3, 3);
    try (Lan lan = new Lan()) {
      lan.add(port(lan, netmap, "netmap:nic0@conf:slots=64")).start();
      assertEquals(List.of("-0", "-1", "-2"), netmap.pairs());
      for (FakeNetmap.Open open : netmap.openNow()) {
        assertTrue(open.request().has(NetmapAbi.NR_EXCLUSIVE | NetmapAbi.NR_NO_TX_POLL));
        assertEquals(64, open.request().txSlots());
      }
    }
    assertEquals(List.of(), netmap.pairs());
  }

  @Test
  void takesOnlyTheRingsThatADirectionHas() throws Exception {
    assertEquals(List.of("-0", "-1R", "-2R"), pairs(new FakeNetmap(1, 3), "netmap:nic0"));
    assertEquals(List.of("-0", "-1T"), pairs(new FakeNetmap(2, 1), "netmap:nic0"));
    assertEquals(List.of("-0R", "-1R"), pairs(new FakeNetmap(4, 2), "netmap:nic0/R"));
    assertEquals(List.of("-2"), pairs(new FakeNetmap(4, 4), "netmap:nic0-2"));
    assertEquals(List.of("^0"), pairs(new FakeNetmap(4, 4), "netmap:nic0^"));
    assertEquals(List.of("^3"), pairs(new FakeNetmap(4, 4), "netmap:nic0^3"));
  }

  private static List<String> pairs(FakeNetmap netmap, String name) throws Exception {
    try (Lan lan = new Lan()) {
      lan.add(port(lan, netmap, name)).start();
      return netmap.pairs();
    }
  }

  @Test
  void lettingGoOfWhatIsOpenWhenOneOfTheRingsIsTaken() throws Exception {
    var netmap = new FakeNetmap(2, 2);
    netmap.refuseFrom(1, new NetmapException("somebody has ring 1", Errno.EBUSY));
    try (Lan lan = new Lan()) {
      lan.loop.start();
      assertThrows(
          NetmapException.class, () -> lan.loop.call(() -> port(lan, netmap, "netmap:nic0")));
      assertEquals(1, netmap.opens.size());
      assertTrue(netmap.opens.getFirst().closed);
    }
  }

  @Test
  void framesOfOneFlowStayOnOneRingAndFlowsUseThemAll() throws Exception {
    var netmap = new FakeNetmap(2, 2);
    try (Lan lan = new Lan()) {
      Guest guest = lan.guest(1);
      lan.add(port(lan, netmap, "netmap:nic0")).start();
      guest.up();
      for (int n = 0; n < 200; n++) {
        int flow = n % 20;
        Lan.await("room", guestHasRoom(guest, frame(mac(100 + flow), mac(flow), 60, n)));
      }
      Lan.await("all frames", () -> sent(netmap) == 200);
      List<FakeNetmap.Open> rings = netmap.openNow();
      assertTrue(rings.get(0).sent().size() >= 40, rings.get(0).sent().size() + " on ring 0");
      assertTrue(rings.get(1).sent().size() >= 40, rings.get(1).sent().size() + " on ring 1");
      Set<Long> flows = new HashSet<>();
      rings.get(0).sent().forEach(sent -> flows.add(Frames.destination(sent)));
      rings.get(1).sent().forEach(sent -> assertFalse(flows.contains(Frames.destination(sent))));
      assertEquals(rings.get(0).sent().size(), (int) lan.queue("netmap:nic0", "out0").frames());
      assertEquals(rings.get(1).sent().size(), (int) lan.queue("netmap:nic0", "out1").frames());
    }
  }

  private static java.util.function.BooleanSupplier guestHasRoom(Guest guest, byte[] frame) {
    return () -> {
      guest.reap(0);
      return guest.trySend(0, frame);
    };
  }

  private static int sent(FakeNetmap netmap) {
    return netmap.openNow().stream().mapToInt(open -> open.sent().size()).sum();
  }

  @Test
  void framesFromEveryRingReachTheGuestAlsoAfterARest() throws Exception {
    var netmap = new FakeNetmap(2, 2);
    try (Lan lan = new Lan()) {
      Guest guest = lan.guest(1);
      lan.add(port(lan, netmap, "netmap:nic0")).start();
      guest.up();
      guest.buffers(200, 256);
      int got = 0;
      for (int n = 0; n < 20; n++) {
        FakeNetmap.Open ring = netmap.openNow().get(n % 2);
        Lan.await("rest", () -> ring.armed);
        ring.arrive(frame(mac(1), mac(2), 60, n));
        int before = got;
        Lan.await("frame " + n, () -> !guest.receive(0, 0).isEmpty());
        got = before + 1;
      }
      assertEquals(10, lan.queue("netmap:nic0", "in0").frames());
      assertEquals(10, lan.queue("netmap:nic0", "in1").frames());
    }
  }

  @Test
  void nothingIsSentToAMonitorAndThatIsCounted() throws Exception {
    var netmap = new FakeNetmap(1, 1);
    try (Lan lan = new Lan()) {
      Guest guest = lan.guest(1);
      lan.add(port(lan, netmap, "netmap:nic0/r")).start();
      guest.up();
      assertFalse(netmap.openNow().getFirst().request().has(NetmapAbi.NR_EXCLUSIVE));
      Lan.await("room", () -> guest.trySend(0, frame(mac(1), mac(2), 60, 0)));
      Lan.await("the drop", () -> lan.drops("netmap:nic0/r", "out", DropReason.RECEIVES_ONLY) == 1);
      assertEquals(0, sent(netmap));
    }
  }

  @Test
  void goesDownWithAReasonAndComesBackAndNoOtherPortNotices() throws Exception {
    var netmap = new FakeNetmap(1, 1);
    var steady = new FakeNetmap(1, 1);
    try (Lan lan = new Lan()) {
      Guest guest = lan.guest(1);
      lan.add(port(lan, netmap, "netmap:nic0")).add(port(lan, steady, "netmap:nic1")).start();
      guest.up();
      FakeNetmap.Open first = netmap.openNow().getFirst();
      netmap.refusal = FakeNetmap.missing();
      first.failure = "the interface nic0 is gone";
      Lan.await("down", () -> !netmapStatus(lan, "netmap:nic0").up());
      assertTrue(first.closed);
      assertTrue(status(lan, "netmap:nic0").state().startsWith("down: "));
      Lan.await("room", () -> guest.trySend(0, frame(mac(1), mac(2), 60, 0)));
      Lan.await("the drop", () -> lan.drops("netmap:nic0", "out", DropReason.NOT_READY) == 1);
      Lan.await("the other port", () -> sent(steady) == 1);
      netmap.refusal = null;
      long freed = System.nanoTime();
      Lan.await("up again", () -> netmapStatus(lan, "netmap:nic0").up());
      long millis = (System.nanoTime() - freed) / 1_000_000;
      assertTrue(millis < 2000, "took " + millis + " ms");
      assertEquals(1, netmapStatus(lan, "netmap:nic0").reattached());
      assertEquals(0, netmapStatus(lan, "netmap:nic1").reattached());
      guest.reap(0);
      Lan.await("room", () -> guest.trySend(0, frame(mac(1), mac(2), 60, 1)));
      Lan.await("the frame after", () -> sent(netmap) == 1 && sent(steady) == 2);
      assertEquals(2, netmapStatus(lan, "netmap:nic0").drops().getFirst().frames());
    }
  }
}
