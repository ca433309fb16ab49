// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.vhostnetmap.linux.SharedFile;

/**
 * Four guests: a sends to b; the victim sends to a sink, and is sent to by a, as the test says.
 * Then the victim's memory file is cut under the traffic. A program of its own, so that a test can
 * run it in a JVM of each kind: it ends with 0 when all is as it should be.
 */
final class VanishingMemory {
  private VanishingMemory() {}

  /** Runs all cases a few times. */
  public static void main(String[] arguments) throws Exception {
    for (int round = 0; round < Integer.parseInt(arguments[0]); round++) {
      run(true, false, 0);
      run(false, true, 0);
      run(true, true, 1 << 20);
      run(true, true, 2 << 20);
      run(false, false, 0);
      runSegmenting(1 << 20);
    }
  }

  /** One case; {@code left} bytes of the file stay. */
  static void run(boolean source, boolean sink, long left) throws Exception {
    run(source, sink, left, victim -> victim.trySend(0, frame(mac(4), mac(3), 200, 1)));
  }

  /** The victim leaves its frames to us to cut, and its memory goes while we do. */
  static void runSegmenting(long left) throws Exception {
    Packet packet = Packet.tcp4(6000);
    byte[] header = packet.segmentHeader(12, 500);
    byte[] frame = packet.frame(mac(4), mac(3));
    run(true, true, left, victim -> victim.sendWith(header, frame, 12, 100, 4000));
  }

  private static void run(boolean source, boolean sink, long left, Consumer<Guest> sender)
      throws Exception {
    try (Lan lan = new Lan(Lan.workers(1))) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      Guest victim = lan.offloading();
      Guest drain = lan.guest(1);
      lan.start();
      a.up();
      b.up().buffers(256, 256);
      victim.up().buffers(256, 256);
      drain.up().buffers(256, 256);
      b.send(frame(BROADCAST, mac(2), 60, 0));
      victim.send(frame(BROADCAST, mac(3), 60, 0));
      drain.send(frame(BROADCAST, mac(4), 60, 0));
      Lan.await("learning", () -> lan.status().received() == 3);
      b.receive(0, 256);

      AtomicBoolean stop = new AtomicBoolean();
      Consumer<Guest> busy = source ? sender : none -> {};
      Thread traffic = new Thread(() -> keepBusy(victim, busy, drain, stop));
      traffic.start();
      try {
        exchange(a, b, sink, 0, 2000);
        SharedFile.truncate(victim.frontend.memoryFd(), left);
        exchange(a, b, sink, 2000, 4000);
        // Where nobody happened to look at its memory since, the next kick tells.
        Lan.await(
            "the victim's end",
            () -> {
              victim.frontend.kick(1);
              return victim.backend.status().frontendPid() == 0;
            });
        exchange(a, b, sink, 4000, 5000);
      } finally {
        stop.set(true);
        traffic.join();
      }
      String why = victim.backend.status().lastTrouble();
      assertNotNull(why);
      assertTrue(why.contains("memory"), why);
      assertEquals(0, lan.queue(a.name, "tx0").dropped());
      assertEquals(0, lan.queue(b.name, "rx0").dropped());
    }
  }

  /** Sends numbered frames from a to b, all of which must come in order; others to the victim. */
  private static void exchange(Guest a, Guest b, boolean alsoToVictim, int from, int to) {
    int[] next = {from};
    for (int n = from; n < to; n++) {
      a.send(frame(mac(2), mac(1), 60, n));
      if (alsoToVictim) {
        a.send(frame(mac(3), mac(1), 200, n));
      }
      if (n % 100 == 99) {
        int sent = n + 1;
        Lan.await(
            "frames from a to b",
            () -> {
              for (byte[] frame : b.receive(0, 256)) {
                if (Frames.destination(frame) == mac(2)) {
                  assertEquals(next[0]++, Frames.number(frame));
                }
              }
              return next[0] == sent;
            });
      }
    }
  }

  /** The victim's own driver, until its memory is gone under it too. */
  private static void keepBusy(
      Guest victim, Consumer<Guest> sender, Guest drain, AtomicBoolean stop) {
    try {
      while (!stop.get()) {
        sender.accept(victim);
        drain.receive(0, 256);
        victim.receive(0, 256);
      }
    } catch (InternalError | AssertionError | RuntimeException gone) {
      // Zeroes or nothing where its rings were.
      return;
    }
  }
}
