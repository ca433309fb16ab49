// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Guests that don't keep up, and guests that come back. */
final class BackPressureTest {
  private static final int FRAMES = 20_000;

  @Test
  void onAWireFramesWaitForBuffersInOrderAndOnlyAPauseBeyondThePatienceLosesAny() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      b.up();
      Random random = new Random(9);
      List<Integer> got = new ArrayList<>();
      AtomicInteger sent = new AtomicInteger();
      Lan.await(
          "all frames",
          () -> {
            while (sent.get() < FRAMES && a.trySend(0, numbered(random, sent.get()))) {
              sent.incrementAndGet();
            }
            b.receive(0, 0).forEach(frame -> got.add(Frames.number(frame)));
            b.buffers(random.nextInt(b.receiveRing(0).freeDescriptors() + 1), 256);
            a.reap(0);
            return sent.get() == FRAMES && a.transmitRing(0).freeDescriptors() == 256;
          });
      long dropped = lan.drops(b.name, "rx0", DropReason.NO_BUFFERS);
      b.receive(0, 0).forEach(frame -> got.add(Frames.number(frame)));
      assertEquals(FRAMES - dropped, got.size());
      assertEquals(got.stream().sorted().distinct().toList(), got);
      // Only where this thread itself was held up for 10 ms.
      assertTrue(dropped < FRAMES / 10, dropped + " dropped");
    }
  }

  private static byte[] numbered(Random random, int number) {
    return frame(mac(2), mac(1), 60 + random.nextInt(60), number);
  }

  @Test
  void aReceiveRingThatWasFullGoesOnWithin100MillisecondsEachOfManyTimes() throws Exception {
    try (Lan lan = new Lan()) {
      Guest flooded = lan.guest(1);
      Guest other = lan.guest(1);
      lan.add(new PktgenPort("pktgen:", 60, 0, 1)).start();
      flooded.up();
      other.up();
      long worst = 0;
      for (int pause = 0; pause < 300; pause++) {
        long drops = lan.drops(flooded.name, "rx0", DropReason.NO_BUFFERS);
        Lan.await("drops", () -> lan.drops(flooded.name, "rx0", DropReason.NO_BUFFERS) > drops);
        flooded.receive(0, 0);
        long resumed = System.nanoTime();
        int before = flooded.receiveRing(0).usedIndex();
        flooded.buffers(1 + pause % 64, 256);
        Lan.await("traffic again", () -> flooded.receiveRing(0).usedIndex() != before);
        worst = Math.max(worst, System.nanoTime() - resumed);
      }
      assertTrue(worst < 100_000_000, "resumed after " + worst / 1000 + " us");
    }
  }

  @Test
  void aWireToAStoppedGuestResumesToo() throws Exception {
    try (Lan lan = new Lan()) {
      Guest flooded = lan.guest(1);
      lan.add(new PktgenPort("pktgen:", 1514, 0, 1)).start();
      flooded.up();
      for (int pause = 0; pause < 20; pause++) {
        long drops = lan.drops(flooded.name, "rx0", DropReason.NO_BUFFERS);
        Lan.await("drops", () -> lan.drops(flooded.name, "rx0", DropReason.NO_BUFFERS) > drops);
        flooded.receive(0, 0);
        int before = flooded.receiveRing(0).usedIndex();
        long resumed = System.nanoTime();
        flooded.buffers(10, 2048);
        Lan.await("all ten", () -> ((flooded.receiveRing(0).usedIndex() - before) & 0xffff) == 10);
        assertTrue(System.nanoTime() - resumed < 100_000_000);
      }
    }
  }

  @Test
  void onABridgeAGuestThatTakesNothingCostsTheOthersNothing() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest stuck = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      stuck.up();
      b.up().buffers(256, 256);
      AtomicInteger got = new AtomicInteger();
      for (int n = 1; n <= 5000; n++) {
        a.send(frame(BROADCAST, mac(1), 60, n));
        if (n % 64 == 0 || n == 5000) { // never more under way than b has buffers for
          int sent = n;
          Lan.await("its copies", () -> got.addAndGet(b.receive(0, 256).size()) == sent);
        }
      }
      assertEquals(5000, lan.drops(stuck.name, "rx0", DropReason.NO_BUFFERS));
      assertEquals(0, lan.queue(b.name, "rx0").dropped());
      assertEquals(5000, lan.status().floodCopies());
    }
  }

  @Test
  void framesForAGuestWhoseDriverIsNotUpAreCountedAsThat() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest down = lan.guest(2);
      lan.start();
      a.up();
      a.send(frame(BROADCAST, mac(1), 60, 1));
      Lan.await("the drop", () -> lan.drops(down.name, "rx", DropReason.NOT_READY) == 1);
    }
  }
}
