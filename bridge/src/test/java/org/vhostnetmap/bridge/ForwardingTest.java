// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Where frames go, driven round by round without any thread, on a clock of the test's own. */
final class ForwardingTest {
  private static final long MILLISECOND = 1_000_000;

  private final List<RecordingPort> ports = new ArrayList<>();
  private final List<Lane> lanes = new ArrayList<>();
  private final Burst burst = new Burst();
  private Forwarding forwarding = new Forwarding(List.of(), new MacTable(1, 300));
  private MacTable table = new MacTable(1, 300);
  private long now = 1_000_000_000_000L;

  private void make(int count) throws Exception {
    for (int i = 0; i < count; i++) {
      RecordingPort port = new RecordingPort("port" + i);
      ports.add(port);
      lanes.add(new Lane(port, i));
    }
    table = new MacTable(count, 300);
    forwarding = new Forwarding(List.copyOf(ports), table);
  }

  @AfterEach
  void everyFrameHasOneFate() {
    long received = ports.stream().mapToLong(p -> p.in.frames).sum();
    long delivered = ports.stream().mapToLong(p -> p.out.frames).sum();
    long dropped = ports.stream().mapToLong(p -> p.in.dropped() + p.out.dropped()).sum();
    ports.forEach(RecordingPort::close);
    assertEquals(received + forwarding.floodCopies(), delivered + dropped);
  }

  /** One round of the worker, for one port. */
  private void round(int port) {
    burst.clear();
    lanes.get(port).source.peek(burst);
    if (burst.count > 0) {
      int settled = forwarding.forward(lanes.get(port), burst, now);
      lanes.get(port).source.count(burst, settled);
      lanes.get(port).source.advance(burst, settled);
      forwarding.flush();
    }
  }

  private void send(int port, byte[]... frames) {
    ports.get(port).toSend.addAll(List.of(frames));
  }

  private RecordingPort port(int i) {
    return ports.get(i);
  }

  @Nested
  final class OnAWire {
    @Test
    void everyFrameGoesToTheOtherPortWholeWhateverItsAddress() throws Exception {
      make(2);
      byte[] own = frame(mac(1), mac(1), 60, 1);
      byte[] group = frame(BROADCAST, mac(1), 14, 2);
      byte[] jumbo = frame(mac(9), mac(1), 65535 + 18, 3);
      send(0, own, group, jumbo);
      round(0);
      assertArrayEquals(own, port(1).received.get(0));
      assertArrayEquals(group, port(1).received.get(1));
      assertArrayEquals(jumbo, port(1).received.get(2));
      assertEquals(1, port(1).flushes);
      assertEquals(0, table.count(0), "a wire learns nothing");
    }

    @Test
    void framesWaitInOrderForRoomAndNoneIsLostOrDoubled() throws Exception {
      make(2);
      Random random = new Random(1);
      port(1).room = 0;
      for (int n = 0; n < 5000; n++) {
        send(0, frame(mac(2), mac(1), random.nextInt(20) == 0 ? 13 : 60, n));
      }
      while (!port(0).toSend.isEmpty()) {
        port(1).room = random.nextInt(40);
        now += random.nextLong(9 * MILLISECOND);
        round(0);
      }
      List<Integer> numbers = port(1).numbers();
      assertEquals(numbers.stream().sorted().distinct().toList(), numbers);
      assertEquals(5000, port(0).in.frames);
      assertEquals(port(0).in.frames - port(0).in.dropped(), port(1).out.frames);
      assertEquals(0, port(1).out.dropped());
    }

    @Test
    void oneFullRingOfSeveralHoldsUpNoOtherAndItsOwnFramesWait() throws Exception {
      make(2);
      for (int n = 0; n < 60; n++) {
        send(0, frame(mac(2), mac(1), 60, n));
      }
      Random random = new Random(3);
      while (!port(0).toSend.isEmpty()) {
        port(1).fullFlow = random.nextInt(-1, 3);
        now += MILLISECOND;
        round(0);
      }
      List<Integer> numbers = port(1).numbers();
      assertEquals(60, numbers.size());
      for (int flow = 0; flow < 3; flow++) {
        int mine = flow;
        assertEquals(
            IntStream.range(0, 60).filter(n -> n % 3 == mine).boxed().toList(),
            numbers.stream().filter(n -> n % 3 == mine).toList());
      }
      assertEquals(0, port(1).out.dropped());
    }

    @Test
    void aSinkThatTakesNothingFor10MillisecondsCostsTheFramesThatWait() throws Exception {
      make(2);
      port(1).room = 0;
      for (int n = 0; n < 40; n++) {
        send(0, frame(mac(2), mac(1), 60, n));
      }
      round(0);
      now += 9 * MILLISECOND;
      round(0);
      assertEquals(40, port(0).toSend.size());
      now += 2 * MILLISECOND;
      round(0);
      assertEquals(8, port(0).toSend.size());
      assertEquals(32, port(1).out.status().drops().get(DropReason.QUEUE_FULL));
      round(0);
      assertEquals(0, port(0).toSend.size(), "patience is spent only once per stop");
    }

    @Test
    void aSinkThatMovesAtAllIsWaitedForAnew() throws Exception {
      make(2);
      port(1).room = 0;
      send(0, frame(mac(2), mac(1), 60, 1), frame(mac(2), mac(1), 60, 2));
      round(0);
      now += 9 * MILLISECOND;
      port(1).room = 1;
      round(0);
      now += 9 * MILLISECOND;
      round(0);
      assertEquals(1, port(0).toSend.size());
      assertEquals(0, port(1).out.dropped());
      port(1).room = 1;
      round(0);
      assertEquals(List.of(1, 2), port(1).numbers());
    }

    @Test
    void unfitFramesAreCountedOnceThoughTheyWaitWithOthers() throws Exception {
      make(2);
      port(1).room = 1;
      send(
          0, new byte[3], frame(mac(2), mac(1), 60, 1), new byte[13], frame(mac(2), mac(1), 60, 2));
      round(0);
      round(0);
      port(1).room = 5;
      round(0);
      assertEquals(2, port(0).in.status().drops().get(DropReason.TOO_SHORT));
      assertEquals(List.of(1, 2), port(1).numbers());
      assertEquals(3 + 13 + 120, port(0).in.bytes);
    }
  }

  @Nested
  final class OnABridge {
    @Test
    void unknownAddressesAndGroupsGoToAllOthersAndEachExtraCopyIsCounted() throws Exception {
      make(4);
      send(0, frame(mac(7), mac(1), 60, 1), frame(BROADCAST, mac(1), 60, 2));
      round(0);
      for (int to = 1; to < 4; to++) {
        assertEquals(List.of(1, 2), port(to).numbers());
      }
      assertTrue(port(0).received.isEmpty());
      assertEquals(4, forwarding.floodCopies());
    }

    @Test
    void aLearnedAddressGetsItsFramesAlone() throws Exception {
      make(3);
      send(2, frame(BROADCAST, mac(2), 60, 1));
      round(2);
      send(0, frame(mac(2), mac(1), 60, 2));
      round(0);
      send(2, frame(mac(1), mac(2), 60, 3));
      round(2);
      assertEquals(List.of(2), port(2).numbers());
      assertEquals(List.of(1), port(1).numbers());
      assertEquals(List.of(1, 3), port(0).numbers());
    }

    @Test
    void framesOfOneBurstStayInOrderPerPortWhereverTheyGo() throws Exception {
      make(3);
      send(1, frame(BROADCAST, mac(1), 60, 0));
      round(1);
      for (int n = 1; n <= 30; n++) {
        send(0, frame(n % 3 == 0 ? BROADCAST : n % 3 == 1 ? mac(1) : mac(50), mac(9), 60, n));
      }
      round(0);
      assertEquals(IntStream.rangeClosed(1, 30).boxed().toList(), port(1).numbers());
    }

    @Test
    void aFrameToItsOwnPortIsDroppedThereWithThatReason() throws Exception {
      make(3);
      send(0, frame(BROADCAST, mac(1), 60, 1));
      round(0);
      send(0, frame(mac(1), mac(2), 60, 2), frame(mac(77), mac(2), 60, 3));
      round(0);
      assertEquals(1, port(0).in.status().drops().get(DropReason.SAME_PORT));
      assertEquals(List.of(1, 3), port(1).numbers());
    }

    @Test
    void aFullSinkLosesItsOwnFramesAtOnceAndHoldsUpNobody() throws Exception {
      make(3);
      port(1).room = 0;
      for (int n = 0; n < 32; n++) {
        send(0, frame(BROADCAST, mac(1), 60, n));
      }
      round(0);
      assertEquals(32, port(2).received.size());
      assertEquals(32, port(1).out.status().drops().get(DropReason.QUEUE_FULL));
      assertEquals(0, port(0).toSend.size());
    }

    @Test
    void aPortAloneLosesItsFramesWithThatReason() throws Exception {
      make(1);
      send(0, frame(BROADCAST, mac(1), 60, 1), frame(mac(2), mac(1), 60, 2));
      round(0);
      assertEquals(2, port(0).in.status().drops().get(DropReason.NO_OTHER_PORT));
    }

    @Test
    void seventyPortsAllReachEachOther() throws Exception {
      make(70);
      for (int p = 0; p < 70; p++) {
        send(p, frame(BROADCAST, mac(p), 60, p));
        round(p);
      }
      assertEquals(70 * 68, forwarding.floodCopies());
      for (int p = 0; p < 70; p++) {
        port(p).received.clear();
      }
      for (int p = 0; p < 70; p++) {
        for (int to = 0; to < 70; to++) {
          if (to != p) {
            send(p, frame(mac(to), mac(p), 60, p));
          }
        }
        round(p);
        round(p);
        round(p);
      }
      for (int p = 0; p < 70; p++) {
        assertEquals(69, port(p).received.size());
        assertEquals(69, port(p).distinct().size());
      }
    }
  }

  @Nested
  final class WhenAPageVanishes {
    @Test
    void theFramesForThatSinkAreDroppedItsPortIsBlamedAndTheOthersGetTheirs() throws Exception {
      make(3);
      port(1).sinkVanishes = true;
      port(1).vanished = true;
      send(0, frame(BROADCAST, mac(1), 60, 1), frame(BROADCAST, mac(1), 60, 2));
      round(0);
      assertEquals(2, port(1).out.status().drops().get(DropReason.MEMORY_VANISHED));
      assertEquals(List.of(1, 2), port(2).numbers());
      assertEquals(1, port(1).abandoned);
      assertEquals(0, port(0).abandoned + port(2).abandoned);
    }

    @Test
    void aSinkWhosePagesCanNeverBeHadIsLetGoOfThoughNoFileShrank() throws Exception {
      make(2);
      port(1).sinkVanishes = true;
      for (int i = 0; i < Forwarding.STRIKES - 1; i++) {
        send(0, frame(mac(1), mac(9), 60, i));
        round(0);
      }
      assertEquals(0, port(1).abandoned);
      send(0, frame(mac(1), mac(9), 60, 0));
      round(0);
      assertEquals(1, port(1).abandoned);
      assertEquals(0, port(0).abandoned);
      assertEquals(
          Forwarding.STRIKES, port(1).out.status().drops().get(DropReason.MEMORY_VANISHED));
    }

    @Test
    void aNotificationThatFailsIsTriedAgainAndOthersAreMade() throws Exception {
      make(3);
      port(1).wishVanishes = true;
      send(0, frame(BROADCAST, mac(1), 60, 1));
      round(0);
      assertEquals(List.of(1, 1), List.of(port(1).flushes, port(2).flushes));
      assertTrue(forwarding.flush() <= System.nanoTime(), "again at once");
      port(1).wishVanishes = false;
      assertEquals(Sink.NOTHING_HELD, forwarding.flush());
      forwarding.flush();
      assertEquals(List.of(3, 1), List.of(port(1).flushes, port(2).flushes));
      assertEquals(0, port(1).abandoned);
    }

    /** The frames reach it all the while. */
    @Test
    void aSinkWhoseWishCanNeverBeReadIsLetGoOf() throws Exception {
      make(2);
      port(1).wishVanishes = true;
      for (int i = 0; i < Forwarding.STRIKES; i++) {
        assertEquals(0, port(1).abandoned);
        send(0, frame(mac(1), mac(9), 60, i));
        round(0);
      }
      assertEquals(List.of(0, 1), List.of(port(0).abandoned, port(1).abandoned));
    }

    @Test
    void aSinkThatWorksInBetweenIsNot() throws Exception {
      make(2);
      for (int i = 0; i < 3 * Forwarding.STRIKES; i++) {
        port(1).sinkVanishes = i % 2 == 0;
        send(0, frame(mac(1), mac(9), 60, i));
        round(0);
      }
      assertEquals(0, port(1).abandoned);
    }

    @Test
    void framesAimedBeforeTheSortingBrokeOffDoNotComeBackInALaterBurst() throws Exception {
      make(3);
      send(1, frame(BROADCAST, mac(1), 60, 1));
      round(1);
      port(0).received.clear();
      // Three good frames for port 1 and one whose addresses can't be read any more.
      burst.clear();
      send(
          0,
          frame(mac(1), mac(9), 60, 2),
          frame(mac(1), mac(9), 60, 3),
          frame(mac(1), mac(9), 60, 4));
      port(0).peek(burst);
      burst.append(0, 60);
      burst.segments[3] = 0; // reads as an error of its own kind, as late as that of a real page
      burst.table.segmentLength[3] = -1;
      burst.segment[3] = -1;
      assertThrows(RuntimeException.class, () -> forwarding.forward(lanes.get(0), burst, now));
      port(0).toSend.clear();
      send(2, frame(mac(9), mac(3), 60, 5));
      round(2);
      assertEquals(List.of(), port(1).numbers(), "nothing of the broken burst");
      assertEquals(List.of(5), port(0).numbers());
    }
  }
}
