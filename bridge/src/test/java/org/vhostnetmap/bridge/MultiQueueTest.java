// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.fakes.FakeFrontend;

/** Guests with several queue pairs, more or fewer of them enabled, and several workers. */
final class MultiQueueTest {
  private static final int PAIRS = 8;
  private static final int FLOWS = 40;
  private static final int WINDOW = 200; // fewer than any ring has buffers
  private static final int BUFFERS = 250;
  private static final int FRAMES = Integer.getInteger("vhostnetmap.frames", 1_000_000);
  private static final int[] ENABLED = {8, 3, 1, 5, 2, 8, 7, 4, 1, 8};

  private final int[] sent = new int[FLOWS];
  private final int[] got = new int[FLOWS];
  private final int[] ringOf = new int[FLOWS];

  /** Of the flows while rings come and go: what came on the ring they were on, and on others. */
  private final List<List<Integer>> before = new ArrayList<>();

  private final List<List<Integer>> after = new ArrayList<>();
  private final int[][] newest = new int[FLOWS][PAIRS];
  private final BitSet[] seen = new BitSet[FLOWS];
  private final Random random = new Random(11);
  private int underWay;

  MultiQueueTest() {
    java.util.Arrays.setAll(seen, flow -> new BitSet());
    for (int[] rings : newest) {
      java.util.Arrays.fill(rings, -1);
    }
  }

  @Test
  void aMillionFramesKeepTheirOrderWhileReceiversEnableMoreAndFewerPairs() throws Exception {
    try (Lan lan = new Lan(Lan.workers(4))) {
      Guest a = lan.guest(PAIRS);
      Guest b = lan.guest(PAIRS);
      lan.start();
      a.up(PAIRS);
      b.up(PAIRS).buffers(BUFFERS, 256);
      for (int pairs : ENABLED) {
        changeUnderTraffic(a, b, pairs);
        for (int n = 0; n < FRAMES / ENABLED.length; ) {
          n += send(a, PAIRS, WINDOW);
          receive(b, false);
        }
        long rings = java.util.Arrays.stream(ringOf).distinct().count();
        assertTrue(rings <= pairs, rings + " rings used");
        assertTrue(rings >= Math.min(pairs, 4), rings + " rings used");
      }
      drain(b, false);
      assertEquals(0, lan.status().dropped());
    }
  }

  /**
   * Ring by ring, as the messages are: each changes the rings of flows, and who sees what came on
   * two rings can tell the order, on three no more.
   */
  private void changeUnderTraffic(Guest a, Guest b, int pairs) throws IOException {
    learnRings(a, b);
    for (int ring = 0; ring < 2 * PAIRS; ring++) {
      before.clear();
      after.clear();
      for (int flow = 0; flow < FLOWS; flow++) {
        before.add(new ArrayList<>());
        after.add(new ArrayList<>());
      }
      send(a, PAIRS, WINDOW / 2);
      sayEnable(b, ring, ring < 2 * pairs);
      send(a, PAIRS, WINDOW); // and these find it changed, or not yet
      b.frontend.barrier();
      drain(b, true);
      for (int flow = 0; flow < FLOWS; flow++) {
        List<Integer> all = new ArrayList<>(before.get(flow));
        all.addAll(after.get(flow));
        for (int number : all) {
          assertEquals(got[flow]++, number, "order of flow " + flow + " over the change");
        }
      }
      learnRings(a, b);
    }
  }

  /** One frame of each flow. */
  private void learnRings(Guest a, Guest b) {
    java.util.Arrays.fill(ringOf, -1);
    for (int flow = 0; flow < FLOWS; flow++) {
      int next = flow;
      Lan.await("a free descriptor", () -> sendOf(next, a, PAIRS));
    }
    drain(b, false);
  }

  private static void enable(Guest guest, int pairs) throws IOException {
    for (int ring = 0; ring < 2 * PAIRS; ring++) {
      sayEnable(guest, ring, ring < 2 * pairs);
    }
    guest.frontend.barrier();
  }

  private static void sayEnable(Guest guest, int ring, boolean enabled) throws IOException {
    guest.frontend.say(FakeFrontend.SET_VRING_ENABLE, FakeFrontend.state(ring, enabled ? 1 : 0));
  }

  /** Fills the window; a flow stays on one transmitq. */
  private int send(Guest a, int pairs, int window) {
    int count = 0;
    while (underWay < window && sendOf(random.nextInt(FLOWS), a, pairs)) {
      count++;
    }
    return count;
  }

  /** One frame of a flow, when there is a descriptor for it. */
  private boolean sendOf(int flow, Guest a, int pairs) {
    if (!a.trySend(flow % pairs, udp(flow, sent[flow]))) {
      return false;
    }
    sent[flow]++;
    underWay++;
    return true;
  }

  private static byte[] udp(int flow, int number) {
    byte[] frame = frame(mac(2), mac(1), 64, 0);
    ByteBuffer packet = ByteBuffer.wrap(frame);
    packet.putShort(12, (short) 0x0800).put(14, (byte) 0x45).putShort(20, (short) 0);
    packet.put(23, (byte) 17).putInt(26, 0x0a000001).putInt(30, 0x0a000002);
    packet.putShort(34, (short) flow).putShort(36, (short) 9).putInt(42, number);
    return frame;
  }

  private void drain(Guest b, boolean changing) {
    Lan.await(
        "frames under way",
        () -> {
          receive(b, changing);
          return underWay == 0;
        });
  }

  private void receive(Guest b, boolean changing) {
    for (int pair = 0; pair < PAIRS; pair++) {
      for (byte[] frame : b.receive(pair, 256)) {
        int flow = ByteBuffer.wrap(frame).getShort(34);
        int number = ByteBuffer.wrap(frame).getInt(42);
        underWay--;
        if (changing) {
          (ringOf[flow] == pair ? before : after).get(flow).add(number);
          continue;
        }
        assertEquals(got[flow]++, number, "order of flow " + flow);
        assertTrue(ringOf[flow] < 0 || ringOf[flow] == pair, "flow " + flow + " left its ring");
        ringOf[flow] = pair;
      }
    }
  }

  @Test
  void aGuestThatEnablesOnePairOfEightLosesNoFrame() throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      Guest a = lan.guest(PAIRS);
      Guest b = lan.guest(PAIRS);
      lan.start();
      a.up(1);
      b.up(PAIRS).buffers(BUFFERS, 256);
      enable(b, 1);
      while (sent[0] < 100) {
        send(a, 1, WINDOW);
        receive(b, false);
      }
      drain(b, false);
      assertEquals(1, java.util.Arrays.stream(ringOf).distinct().count());
      assertEquals(0, lan.status().dropped());
    }
  }

  @Test
  void changesThatComeFasterThanFramesLoseNoneAndKeepTheOrderOnEachRing() throws Exception {
    try (Lan lan = new Lan(Lan.workers(4))) {
      Guest a = lan.guest(PAIRS);
      Guest b = lan.guest(PAIRS);
      lan.start();
      a.up(PAIRS);
      b.up(PAIRS).buffers(BUFFERS, 256);
      for (int round = 0; round < 200; round++) {
        send(a, PAIRS, WINDOW);
        enable(b, 1 + random.nextInt(PAIRS));
        receiveOnAnyRing(b);
      }
      Lan.await(
          "frames under way",
          () -> {
            receiveOnAnyRing(b);
            return underWay == 0;
          });
      for (int flow = 0; flow < FLOWS; flow++) {
        assertEquals(sent[flow], seen[flow].cardinality(), "frames of flow " + flow);
      }
      assertEquals(0, lan.status().dropped());
    }
  }

  private void receiveOnAnyRing(Guest b) {
    for (int pair = 0; pair < PAIRS; pair++) {
      for (byte[] frame : b.receive(pair, 256)) {
        int flow = ByteBuffer.wrap(frame).getShort(34);
        int number = ByteBuffer.wrap(frame).getInt(42);
        underWay--;
        assertTrue(number > newest[flow][pair], "order of flow " + flow + " on ring " + pair);
        newest[flow][pair] = number;
        assertFalse(seen[flow].get(number), "frame " + number + " of flow " + flow + " twice");
        seen[flow].set(number);
      }
    }
  }

  @Test
  void flowsOfAGeneratorSpreadOverTheReceiveqsAndStayThere() throws Exception {
    try (Lan lan = new Lan()) {
      Guest guest = lan.guest(2);
      lan.add(new PktgenPort("pktgen:", 60, 20_000, PktgenPort.FLOWS)).start();
      guest.up(2).buffers(BUFFERS, 256);
      List<Set<Integer>> ports = List.of(new HashSet<>(), new HashSet<>());
      Lan.await(
          "all flows",
          () -> {
            for (int pair = 0; pair < 2; pair++) {
              for (byte[] frame : guest.receive(pair, 256)) {
                ports.get(pair).add((int) ByteBuffer.wrap(frame).getShort(34));
              }
            }
            return ports.get(0).size() + ports.get(1).size() == PktgenPort.FLOWS;
          });
      assertTrue(Collections.disjoint(ports.get(0), ports.get(1)));
      assertTrue(ports.get(0).size() > 16 && ports.get(1).size() > 16, ports.toString());
    }
  }

  private static List<Integer> sources(Lan lan) {
    return lan.status().workers().stream().map(WorkerStatus::sources).toList();
  }

  @Test
  void guestsOfOnePairSpreadOverTheWorkersAndMoveWhenOthersLeave() throws Exception {
    try (Lan lan = new Lan(Lan.workers(2))) {
      List<Guest> guests = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        guests.add(lan.guest(1));
      }
      lan.add(new NullPort("null:")).start();
      for (Guest guest : guests) {
        guest.up();
      }
      assertEquals(List.of(2, 2), sources(lan));
      guests.get(0).close(); // these two have the same worker
      guests.get(2).close();
      Lan.await("the others apart", () -> sources(lan).equals(List.of(1, 1)));
      for (Guest guest : List.of(guests.get(1), guests.get(3))) {
        for (int n = 0; n < 1000; n++) {
          guest.send(frame(mac(9), mac(1), 60, n));
        }
      }
      Lan.await("their frames", () -> lan.queue("null:", "out").frames() == 2000);
    }
  }

  @Test
  void sourcesThatMoveUnderTrafficLoseNothing() throws Exception {
    try (Lan lan = new Lan(Lan.workers(3))) {
      Guest steady = lan.guest(2);
      lan.add(new NullPort("null:")).start();
      steady.up(2);
      int sentFrames = 0;
      for (int round = 0; round < 60; round++) {
        enableTransmits(steady, round % 2 == 0 ? 1 : 2); // moves the others about
        for (int n = 0; n < 50; n++) {
          byte[] frame = frame(mac(9), mac(1), 60, sentFrames++);
          Lan.await("room", () -> steady.trySend(0, frame));
        }
      }
      int all = sentFrames;
      Lan.await("all frames", () -> lan.queue("null:", "out").frames() == all);
    }
  }

  private static void enableTransmits(Guest guest, int pairs) throws IOException {
    guest.frontend.say(FakeFrontend.SET_VRING_ENABLE, FakeFrontend.state(3, pairs == 2 ? 1 : 0));
    guest.frontend.barrier();
  }
}
