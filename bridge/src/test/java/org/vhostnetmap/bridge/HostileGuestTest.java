// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.BackendStatus;

/** What one guest does to its rings costs that guest its rings, and nobody else a frame. */
final class HostileGuestTest {
  private static final long HOLE = 640 * 1024; // guest addresses that are in no region
  private static final int HOLE_BYTES = 128 * 1024;

  private static String fault(Guest guest, int ring) {
    BackendStatus status = guest.backend.status();
    return status.rings().isEmpty() ? "" : String.valueOf(status.rings().get(ring).fault());
  }

  private static void exchange(Lan lan, Guest a, Guest b, int count) {
    long before = lan.queue(b.name, "rx0").frames();
    for (int n = 0; n < count; n += 50) {
      for (int i = 0; i < 50; i++) {
        a.send(frame(mac(2), mac(1), 60, n + i));
      }
      int[] got = {0};
      Lan.await("frames", () -> (got[0] += b.receive(0, 256).size()) >= 50);
    }
    assertTrue(lan.queue(b.name, "rx0").frames() >= before + count);
    assertEquals(Map.of(), lan.queue(b.name, "rx0").drops());
  }

  private static Guest[] three(Lan lan) throws Exception {
    Guest a = lan.guest(1);
    Guest b = lan.guest(1);
    Guest hostile = lan.guest(1);
    lan.start();
    a.up();
    b.up().buffers(200, 256);
    hostile.up();
    b.send(frame(BROADCAST, mac(2), 60, 0));
    Lan.await("learning", () -> lan.status().received() == 1);
    return new Guest[] {a, b, hostile};
  }

  @Test
  void aTransmitRingThatLoopsStopsWithItsReasonAndTheErrDescriptorTells() throws Exception {
    try (Lan lan = new Lan()) {
      Guest[] guests = three(lan);
      Guest hostile = guests[2];
      FakeDriver ring = hostile.transmitRing(0);
      ring.descriptor(7, ring.arena(), 60, FakeDriver.NEXT, 7);
      ring.available(7);
      hostile.frontend.kick(1);
      assertTrue(hostile.frontend.awaitErr(1, 5000));
      Lan.await("the reason", () -> fault(hostile, 1).contains("loop"));
      exchange(lan, guests[0], guests[1], 1000);
      hostile.buffers(1, 256);
      guests[0].send(frame(BROADCAST, mac(1), 60, 1));
      Lan.await("its receive ring goes on", () -> hostile.receive(0, 0).size() == 1);
    }
  }

  @Test
  void aChainWithoutBytesIsNotLookedForInMemoryThatIsGone() throws Exception {
    try (Lan lan = new Lan()) {
      Guest[] guests = three(lan);
      Guest hostile = guests[2];
      exchange(lan, guests[0], guests[1], 50);
      guests[0].frontend.close();
      Lan.await("its rings are gone", () -> guests[0].backend.status().rings().isEmpty());
      FakeDriver ring = hostile.transmitRing(0);
      ring.descriptor(7, ring.arena(), 0, 0, 0);
      ring.available(7);
      hostile.frontend.kick(1);
      Lan.await("the drop", () -> lan.drops(hostile.name, "tx0", DropReason.TOO_SHORT) == 1);
    }
  }

  @Test
  void aReceiveRingOfReadableBuffersStopsAndWhatWasDeliveredBeforeIsShown() throws Exception {
    try (Lan lan = new Lan()) {
      Guest[] guests = three(lan);
      Guest hostile = guests[2];
      FakeDriver ring = hostile.receiveRing(0);
      ring.postReceive(256);
      ring.post(new Piece(ring.arena(), 256, false));
      for (int n = 0; n < 3; n++) {
        guests[0].send(frame(BROADCAST, mac(1), 60, n));
      }
      assertTrue(hostile.frontend.awaitErr(0, 5000));
      Lan.await("the reason", () -> fault(hostile, 0).contains("direction"));
      assertEquals(1, hostile.receive(0, 0).size());
      Lan.await("3 copies", () -> lan.queue(guests[1].name, "rx0").frames() == 3);
      guests[1].receive(0, 256);
      exchange(lan, guests[0], guests[1], 1000);
    }
  }

  @Test
  void descriptorsAndHeadsThatChangeAllTheTimeNeverReachBeyondGuestMemoryOrHoldUpOthers()
      throws Exception {
    try (Lan lan = new Lan()) {
      Guest[] guests = three(lan);
      Guest hostile = guests[2];
      FakeDriver out = hostile.transmitRing(0);
      FakeDriver in = hostile.receiveRing(0);
      Memory.fill(out.host(HOLE), HOLE_BYTES, 0x5a);
      // Whatever it sends comes from 02:02:02:02:02:02 and goes there, so it can't crowd out
      // others.
      Memory.fill(out.host(0), HOLE, 2);
      Memory.fill(out.host(out.arena()), 600_000, 2);
      AtomicBoolean stop = new AtomicBoolean();
      Thread flipper = new Thread(() -> flip(new FakeDriver[] {out, in}, stop));
      Thread publisher = new Thread(() -> publish(hostile, stop));
      flipper.start();
      publisher.start();
      int restarts = 0;
      try {
        long end = System.nanoTime() + 3_000_000_000L;
        while (System.nanoTime() < end) {
          exchange(lan, guests[0], guests[1], 100);
          guests[0].send(frame(mac(66), mac(1), 60, 0)); // flooded: into the hostile ring too
          for (int ring = 0; ring < 2; ring++) {
            if (!fault(hostile, ring).equals("null")) {
              hostile.frontend.setKick(ring); // starts it anew
              restarts++;
            }
          }
          hostile.frontend.barrier();
        }
      } finally {
        stop.set(true);
        flipper.join();
        publisher.join();
      }
      assertTrue(restarts > 10, "the rings were broken and healed: " + restarts);
      for (int at = 0; at < HOLE_BYTES; at++) {
        assertEquals(0x5a, Memory.getUnsignedByte(out.host(HOLE) + at), "byte in the hole");
      }
      assertTrue(hostile.backend.status().frontendPid() != 0, "the session lives");
    }
  }

  /** Good and bad addresses, lengths, flags and heads, as fast as they can be written. */
  private static void flip(FakeDriver[] rings, AtomicBoolean stop) {
    Random random = new Random(4);
    long[] lengths = {0, 1, 12, 60, 72, 2048, 65536, 1 << 20, 1 << 30, 0xffffffffL};
    while (!stop.get()) {
      FakeDriver ring = rings[random.nextInt(2)];
      long good = ring.arena() + random.nextInt(500_000);
      long[] bad = {HOLE, HOLE - 30, HOLE + HOLE_BYTES - 1, -1, Long.MIN_VALUE, 1L << 40, 3L << 20};
      boolean honest = random.nextInt(50) != 0;
      int flags = ring == rings[1] ? FakeDriver.WRITE : 0;
      ring.descriptor(
          random.nextInt(256),
          honest ? good : bad[random.nextInt(bad.length)],
          honest ? 60 + random.nextInt(2000) : lengths[random.nextInt(lengths.length)],
          random.nextInt(40) != 0 ? flags : random.nextInt(8),
          random.nextInt(random.nextInt(100) != 0 ? 256 : 65536));
      int head = random.nextInt(random.nextInt(300) != 0 ? 256 : 65536);
      Memory.putShort(ring.host(ring.availableRing() + 4 + 2L * random.nextInt(256)), head);
    }
  }

  /** Always 16 chains ahead of what the device has used. */
  private static void publish(Guest guest, AtomicBoolean stop) {
    while (!stop.get()) {
      for (int ring = 0; ring < 2; ring++) {
        FakeDriver driver = guest.frontend.driver(ring);
        int before = driver.availableIndex();
        driver.availableIndex(driver.usedIndex() + 16);
        guest.kickIfNeeded(ring, before);
      }
      Thread.onSpinWait();
    }
  }
}
