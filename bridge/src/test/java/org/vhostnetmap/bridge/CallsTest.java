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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How often guests are called. */
final class CallsTest {
  private static final int PAUSE_MICROS = 3_000;

  @Test
  void aSinkThatSeveralSourcesFillInOneRoundIsFlushedOnce() throws Exception {
    try (Lan lan = new Lan()) {
      List<RecordingPort> ports = new ArrayList<>();
      for (int p = 0; p < 5; p++) {
        RecordingPort port = new RecordingPort("port" + p);
        for (int n = 0; n < 10; n++) {
          port.toSend.add(frame(BROADCAST, mac(p), 60, n));
        }
        ports.add(port);
        lan.add(port);
      }
      lan.start();
      Lan.await("all frames", () -> lan.status().delivered() == 5 * 4 * 10);
      for (RecordingPort port : ports) {
        assertEquals(1, port.flushes, "of bursts from four sources");
      }
    }
  }

  @Test
  void betweenTwoCallsOfARingLieAtLeastAsManyMicrosecondsAsAskedFor() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(Guest.VERSION_1);
      Guest b = lan.guest(1).taking(Guest.VERSION_1);
      a.port.withCallPause(PAUSE_MICROS);
      b.port.withCallPause(PAUSE_MICROS);
      lan.start();
      a.up();
      b.up().buffers(250, 256);
      long start = System.nanoTime();
      for (int n = 0; n < 2000; n++) {
        a.send(frame(mac(2), mac(1), 60, n));
        b.receive(0, 256);
        long next = System.nanoTime() + 50_000;
        while (System.nanoTime() < next) {
          Thread.onSpinWait();
        }
      }
      long most = (System.nanoTime() - start) / 1000 / PAUSE_MICROS + 2;
      long calls = lan.queue(b.name, "rx0").notifications();
      long completions = lan.queue(a.name, "tx0").notifications();
      assertTrue(calls > 1 && calls <= most, calls + " calls, at most " + most);
      assertTrue(completions > 1 && completions <= most, completions + ", at most " + most);
    }
  }

  /** Each call is waited for before the next frame goes out: one that is lost ends the test. */
  @ParameterizedTest
  @ValueSource(longs = {Guest.VERSION_1, Guest.VERSION_1 | Guest.EVENT_IDX})
  void aCallThatWasHeldBackComesThoughNothingElseHappens(long features) throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(1).taking(features);
      Guest b = lan.guest(1).taking(features);
      b.port.withCallPause(PAUSE_MICROS);
      lan.start();
      a.up();
      b.up().buffers(100, 256);
      b.frontend.awaitCall(0, 100); // one that the start may bring
      Random random = new Random(4);
      for (int n = 0; n < 300; n++) {
        int event = b.receiveRing(0).usedIndex();
        if (features != Guest.VERSION_1) {
          b.receiveRing(0).usedEvent(event);
        }
        a.send(frame(mac(2), mac(1), 60, n));
        assertTrue(b.frontend.awaitCall(0, 5000), "call " + n);
        b.receive(0, 256);
        long next = System.nanoTime() + random.nextInt(2 * PAUSE_MICROS * 1000);
        while (System.nanoTime() < next) {
          Thread.onSpinWait();
        }
      }
    }
  }

  /** With two workers and four guests, those of the first one are the first and the third guest. */
  @Test
  void aCallThatWasHeldBackComesInTimeThoughItsSourceMovesToAnotherWorker() throws Exception {
    int pauseMicros = 1_000_000;
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(1).taking(Guest.VERSION_1);
      Guest other = lan.guest(1).taking(Guest.VERSION_1);
      Guest b = lan.guest(1).taking(Guest.VERSION_1);
      Guest another = lan.guest(1).taking(Guest.VERSION_1);
      a.port.withCallPause(pauseMicros);
      b.port.withCallPause(pauseMicros);
      lan.start();
      for (Guest guest : List.of(a, other, b, another)) {
        guest.up();
      }
      b.buffers(100, 256);
      assertEquals(List.of(2, 2), sources(lan));
      a.frontend.awaitCall(1, 100); // what the start may bring
      b.frontend.awaitCall(0, 100);
      sendAndAwait(lan, a, b, 1);
      assertTrue(a.frontend.awaitCall(1, 5000) && b.frontend.awaitCall(0, 5000), "at once");
      sendAndAwait(lan, a, b, 2);
      other.close(); // and its worker gets the first guest of the other one
      another.close();
      Lan.await("a with another worker", () -> sources(lan).equals(List.of(1, 1)));
      assertEquals(1, lan.queue(a.name, "tx0").notifications(), "held");
      assertEquals(1, lan.queue(b.name, "rx0").notifications(), "held");
      assertTrue(a.frontend.awaitCall(1, 5000), "of what was taken");
      assertTrue(b.frontend.awaitCall(0, 5000), "of what was delivered");
    }
  }

  private static void sendAndAwait(Lan lan, Guest from, Guest to, int number) {
    from.send(frame(BROADCAST, mac(1), 60, number));
    Lan.await("frame " + number, () -> lan.queue(to.name, "rx0").frames() == number);
  }

  private static List<Integer> sources(Lan lan) {
    return lan.status().workers().stream().map(WorkerStatus::sources).toList();
  }

  @Test
  void aCallThatIsHeldBackIsNotLostWhenItsRingStops() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(Guest.VERSION_1);
      Guest b = lan.guest(1).taking(Guest.VERSION_1);
      a.port.withCallPause(60_000_000);
      b.port.withCallPause(60_000_000);
      lan.start();
      a.up();
      b.up().buffers(100, 256);
      for (int n = 0; n < 2; n++) { // the first one is called for at once
        a.send(frame(mac(2), mac(1), 60, n));
        int sent = n + 1;
        Lan.await("a frame", () -> lan.queue(b.name, "rx0").frames() == sent);
      }
      assertEquals(1, lan.queue(b.name, "rx0").notifications());
      assertEquals(1, lan.queue(a.name, "tx0").notifications());
      b.frontend.getBase(0);
      a.frontend.getBase(1);
      assertEquals(2, lan.queue(b.name, "rx0").notifications());
      assertEquals(2, lan.queue(a.name, "tx0").notifications());
    }
  }
}
