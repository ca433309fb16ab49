// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeFrontend;

/** Workers: sleep and wake, calls and kicks, several of them, plans that change under traffic. */
final class WorkersTest {
  private static final long ANNOUNCED = 0x0200_0000_00aaL;

  /** Nanoseconds of CPU that the workers have used. */
  private static long workerNanos() throws IOException {
    long sum = 0;
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      for (Path task : tasks.toList()) {
        if (Files.readString(task.resolve("comm")).startsWith("worker-")) {
          String spent = Files.readString(task.resolve("schedstat"));
          sum += Long.parseLong(spent.substring(0, spent.indexOf(' ')));
        }
      }
    }
    return sum;
  }

  private static void idle(long nanos) {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      java.util.concurrent.locks.LockSupport.parkNanos(end - System.nanoTime());
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {Guest.VERSION_1, Guest.VERSION_1 | Guest.EVENT_IDX})
  void idleGuestsCostNoCpuAndTheirKicksAreArmed(long features) throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(1).taking(features);
      Guest b = lan.guest(1).taking(features);
      lan.add(new NullPort("null:")).start();
      a.up();
      b.up().buffers(100, 256);
      for (int n = 0; n < 50; n++) {
        a.send(frame(BROADCAST, mac(1), 60, n));
      }
      Lan.await("frames", () -> lan.queue("null:", "out").frames() == 50);
      idle(50_000_000);
      int index = a.transmitRing(0).availableIndex();
      a.transmitRing(0).send(new byte[72]);
      assertTrue(a.transmitRing(0).kickNeeded(index), "kicks are armed");
      long before = workerNanos();
      idle(1_000_000_000);
      long used = workerNanos() - before;
      assertTrue(used < 2_000_000, "an idle second cost " + used / 1000 + " us");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {Guest.VERSION_1, Guest.VERSION_1 | Guest.EVENT_IDX})
  void noWakeUpIsLostHoweverKicksAndSleepMeet(long features) throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(features);
      lan.add(new NullPort("null:")).start();
      a.up();
      Random random = new Random(6);
      for (int n = 0; n < 10_000; n++) {
        int before = a.transmitRing(0).usedIndex();
        a.send(frame(mac(2), mac(1), 60, n));
        Lan.await("a wake-up", () -> a.transmitRing(0).usedIndex() != before);
        long end = System.nanoTime() + random.nextInt(120_000); // about when it goes to sleep
        while (System.nanoTime() < end) {
          Thread.onSpinWait();
        }
      }
    }
  }

  @Test
  void aRingWithoutKicksIsServedByPolling() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(new NullPort("null:")).start();
      a.up();
      a.frontend.setNone(FakeFrontend.SET_VRING_KICK, 1);
      a.frontend.barrier();
      for (int n = 1; n <= 20; n++) {
        int expected = n;
        a.transmitRing(0).send(new byte[12 + 60]);
        Lan.await("a frame", () -> a.transmitRing(0).usedIndex() == expected);
        idle(5_000_000);
      }
    }
  }

  @Test
  void theGuestIsCalledOnlyWhenItWantsAndEachCallIsCounted() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(Guest.VERSION_1);
      Guest b = lan.guest(1).taking(Guest.VERSION_1);
      lan.start();
      a.up();
      b.up().buffers(100, 256);
      a.transmitRing(0).wantCalls(false);
      b.frontend.awaitCall(0, 100); // one that the start may bring
      b.receiveRing(0).wantCalls(false);
      long before = lan.queue(b.name, "rx0").notifications();
      a.send(frame(mac(2), mac(1), 60, 1));
      Lan.await("a frame", () -> b.receiveRing(0).usedIndex() == 1);
      assertFalse(b.frontend.awaitCall(0, 20));
      b.receiveRing(0).wantCalls(true);
      a.send(frame(mac(2), mac(1), 60, 2));
      assertTrue(b.frontend.awaitCall(0, 5000));
      assertEquals(before + 1, lan.queue(b.name, "rx0").notifications());
      assertEquals(0, lan.queue(a.name, "tx0").notifications());
    }
  }

  @Test
  void withEventIndexTheGuestIsCalledWhenThatIndexIsUsedAndNotBefore() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      b.up().buffers(100, 256);
      a.send(frame(mac(2), mac(1), 60, 0));
      Lan.await("a frame", () -> b.receiveRing(0).usedIndex() == 1);
      b.frontend.awaitCall(0, 100);
      b.receiveRing(0).usedEvent(5);
      for (int n = 1; n < 5; n++) {
        a.send(frame(mac(2), mac(1), 60, n));
      }
      Lan.await("frames", () -> b.receiveRing(0).usedIndex() == 5);
      assertFalse(b.frontend.awaitCall(0, 20));
      a.send(frame(mac(2), mac(1), 60, 5));
      assertTrue(b.frontend.awaitCall(0, 5000));
    }
  }

  private static byte[] udp(long destination, long source, int flow, int number) {
    byte[] frame = frame(destination, source, 64, 0);
    ByteBuffer packet = ByteBuffer.wrap(frame);
    packet.putShort(12, (short) 0x0800).put(14, (byte) 0x45).putShort(20, (short) 0);
    packet.put(23, (byte) 17).putInt(26, 0x0a000001).putInt(30, 0x0a000002);
    packet.putShort(34, (short) flow).putShort(36, (short) 9).putInt(42, number);
    return frame;
  }

  @Test
  void everyFlowKeepsItsOrderOverFourQueuePairsAndTwoWorkers() throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(4);
      Guest b = lan.guest(4);
      lan.add(new NullPort("null:")).start();
      a.up(4);
      b.up(4).buffers(250, 256);
      int flows = 64;
      int[] next = new int[flows];
      int[] ringOf = new int[flows];
      int[] got = {0};
      int total = 20_000;
      for (int n = 0; n < total; n++) {
        int flow = n % flows;
        byte[] frame = udp(mac(2), mac(1), flow, n / flows);
        Lan.await("room", () -> a.trySend(flow % 4, frame));
        if (n % 100 == 99 || n == total - 1) {
          int sent = n + 1;
          Lan.await("frames", () -> (got[0] += takeFlows(b, next, ringOf)) == sent);
        }
      }
      long rings = java.util.Arrays.stream(ringOf).distinct().count();
      assertEquals(4, rings, "flows spread over all rings");
      assertEquals(0, lan.status().dropped());
    }
  }

  private static int takeFlows(Guest guest, int[] next, int[] ringOf) {
    int count = 0;
    for (int pair = 0; pair < 4; pair++) {
      for (byte[] frame : guest.receive(pair, 256)) {
        int flow = ByteBuffer.wrap(frame).getShort(34);
        assertEquals(next[flow]++, ByteBuffer.wrap(frame).getInt(42), "order of flow " + flow);
        assertTrue(ringOf[flow] == 0 || ringOf[flow] == pair + 1, "a flow stays on its ring");
        ringOf[flow] = pair + 1;
        count++;
      }
    }
    return count;
  }

  @Test
  void threeGuestsNullAndPktgenInARandomMixNeverLoseCountOfAFrame() throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest[] guests = {lan.guest(1), lan.guest(2), lan.guest(1)};
      lan.add(new NullPort("null:")).add(new PktgenPort("pktgen:", 60, 20_000, 1)).start();
      guests[0].taking(Guest.MRG_RXBUF).up();
      guests[1].up(2);
      guests[2].taking(Guest.VERSION_1 | Guest.EVENT_IDX).up();
      Random random = new Random(8);
      long end = System.nanoTime() + 4_000_000_000L;
      for (int n = 0; System.nanoTime() < end; n++) {
        int who = random.nextInt(3);
        Guest guest = guests[who];
        long to = random.nextInt(8) == 0 ? BROADCAST : mac(random.nextInt(6));
        guest.trySend(0, frame(to, mac(who), 10 + random.nextInt(1500), n));
        guest.receive(0, 0);
        int free = guest.receiveRing(0).freeDescriptors();
        for (int i = random.nextInt(Math.min(free, 20) + 1); i > 0; i--) {
          guest.receiveRing(0).postReceive(20 + random.nextInt(1800));
        }
        if (n % 500 == 0) {
          disturb(guest, random);
          assertEquals(0, lan.status().unexplained());
        }
      }
      assertTrue(lan.status().delivered() > 10_000);
    }
  }

  /** Rings that are disabled, enabled or told their memory anew under traffic. */
  private static void disturb(Guest guest, Random random) throws IOException {
    int ring = random.nextInt(2);
    switch (random.nextInt(4)) {
      case 0 -> guest.frontend.say(FakeFrontend.SET_VRING_ENABLE, FakeFrontend.state(ring, 0));
      case 1 -> guest.frontend.setCall(ring);
      case 2 -> guest.frontend.sendMemoryTable();
      default -> guest.frontend.setKick(ring);
    }
    guest.frontend.say(FakeFrontend.SET_VRING_ENABLE, FakeFrontend.state(ring, 1));
    guest.frontend.barrier();
    guest.frontend.kick(1);
  }

  @Test
  void aRingStoppedAndStartedUnderTrafficGoesOnWhereItStoodAndLosesNothing() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(new NullPort("null:")).start();
      a.up();
      int sent = 0;
      for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 40; i++) {
          a.send(frame(mac(2), mac(1), 60, sent++));
        }
        int base = a.frontend.getBase(1);
        assertEquals(a.transmitRing(0).usedIndex(), base, "nothing is half done");
        a.frontend.say(FakeFrontend.SET_VRING_NUM, FakeFrontend.state(1, 256));
        a.frontend.say(FakeFrontend.SET_VRING_BASE, FakeFrontend.state(1, base));
        a.frontend.say(FakeFrontend.SET_VRING_ADDR, a.frontend.address(1, 0));
        a.frontend.setKick(1);
        a.frontend.setCall(1);
        a.frontend.barrier();
      }
      int all = sent;
      Lan.await("all frames", () -> lan.queue("null:", "out").frames() == all);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void anAnnouncementIsLearnedAndReachesTheOthersOnWireAndBridge(int ports) throws Exception {
    try (Lan lan = new Lan()) {
      Guest moved = lan.guest(1);
      List<Guest> others = new ArrayList<>();
      for (int i = 1; i < ports; i++) {
        others.add(lan.guest(1));
      }
      lan.start();
      for (Guest other : others) {
        other.up().buffers(20, 256);
      }
      lan.loop.call(
          () -> {
            moved.port.announce(ANNOUNCED);
            return this;
          });
      for (Guest other : others) {
        List<byte[]> got = new ArrayList<>();
        Lan.await("the RARP", () -> got.addAll(other.receive()) || !got.isEmpty());
        ByteBuffer rarp = ByteBuffer.wrap(got.get(0));
        assertEquals(60, rarp.remaining());
        assertEquals(BROADCAST, Frames.destination(got.get(0)));
        assertEquals(ANNOUNCED, rarp.getLong(4) & 0xffff_ffff_ffffL);
        assertEquals(0x8035_0001_0800_0604L, rarp.getLong(12));
        assertEquals(3, rarp.getShort(20));
        assertEquals(ANNOUNCED, rarp.getLong(20) & 0xffff_ffff_ffffL);
        assertEquals(ANNOUNCED, rarp.getLong(30) & 0xffff_ffff_ffffL);
      }
      if (ports > 2) {
        others.get(0).send(frame(ANNOUNCED, mac(5), 60, 1));
        Lan.await("the drop", () -> lan.drops(moved.name, "rx", DropReason.NOT_READY) == 1);
        assertArrayEquals(new Object[0], others.get(1).receive().toArray());
      }
    }
  }

  @Test
  void theAddressesOfAGuestThatLeftAreForgottenAtOnce() throws Exception {
    try (Lan lan = new Lan()) {
      Guest leaves = lan.guest(1);
      lan.add(new NullPort("null:")).add(new NullPort("null2:")).start();
      leaves.up().send(frame(mac(2), mac(1), 60, 1));
      Lan.await("learning", () -> lan.status().ports().get(0).macAddresses() == 1);
      leaves.close();
      Lan.await("forgetting", () -> lan.status().ports().get(0).macAddresses() == 0);
    }
  }

  @Test
  void twoGuestsOnTwoWorkersSendThroughEachOther() throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up().buffers(200, 256);
      b.up().buffers(200, 256);
      int[] got = new int[2];
      for (int n = 1; n <= 200; n++) {
        for (int i = 0; i < 50; i++) {
          a.send(frame(mac(2), mac(1), 60, n * 50 + i));
          b.send(frame(mac(1), mac(2), 60, n * 50 + i));
        }
        int sent = 50 * n;
        Lan.await(
            "both ways",
            () -> {
              got[0] += a.receive(0, 256).size();
              got[1] += b.receive(0, 256).size();
              return got[0] >= sent && got[1] >= sent;
            });
      }
      FakeDriver ring = a.transmitRing(0);
      Lan.await("all back", () -> ring.usedIndex() == ring.availableIndex());
      assertEquals(0, lan.status().dropped());
    }
  }
}
