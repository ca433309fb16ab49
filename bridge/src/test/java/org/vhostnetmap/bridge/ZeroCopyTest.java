// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;

/** Frames from one ring to another of the same memory: slots swap buffers, nothing is copied. */
final class ZeroCopyTest {
  private static final int SLOTS = 16;
  private static final int IN = 0;
  private static final int OUT = 1;
  private static final int OTHER = 2;

  private final Burst burst = new Burst();
  private final List<RingPort> ports = new ArrayList<>();
  private TestRings rings;
  private TestRings elsewhere;

  @BeforeEach
  void map() throws Exception {
    rings = new TestRings(3, SLOTS);
    elsewhere = new TestRings(1, SLOTS);
    rings.giveAll(OUT);
    rings.giveAll(OTHER);
    elsewhere.giveAll(0);
  }

  @AfterEach
  void unmap() {
    assertEquals(rings.allSlots(), rings.buffers().size(), "a buffer is named twice or lost");
    rings.close();
    elsewhere.close();
  }

  /** A port whose source is one ring and whose sink another; either may be missing. */
  private final class RingPort extends Port {
    final QueueCounters in = new QueueCounters("in", true);
    final QueueCounters out = new QueueCounters("out", false);
    private final List<Source> sources;
    private final Sink sink;

    RingPort(String name, NetmapRing rx, NetmapRing tx) {
      super(name);
      sources = List.of(new RingSource(rx, in));
      sink = new NetmapSink(tx, () -> {}, out);
      ports.add(this);
    }

    @Override
    List<Source> sources() {
      return sources;
    }

    @Override
    int busySources() {
      return 1;
    }

    @Override
    Sink sink() {
      return sink;
    }

    @Override
    PortStatus status(int macAddresses) {
      return new PortStatus(name(), "", "", 0, List.of(), Optional.empty(), Optional.empty());
    }

    @Override
    public void close() {}
  }

  private static final class RingSource extends NetmapSource {
    RingSource(NetmapRing ring, QueueCounters counters) {
      super(ring, () -> {}, counters);
    }

    @Override
    public int readyFd() {
      return -1;
    }

    @Override
    public long rest() {
      return 0;
    }

    @Override
    public void wake() {}
  }

  /** The kernel puts frames into ring IN from its head on. */
  private void arrive(byte[]... frames) {
    NetmapRing kernel = rings.ring(IN);
    int slot = rings.head(IN);
    for (byte[] frame : frames) {
      for (int at = 0; at < frame.length; at += TestRings.BUFFER) {
        int part = Math.min(TestRings.BUFFER, frame.length - at);
        Memory.copyFromArray(frame, at, kernel.buffer(slot), part);
        boolean more = at + part < frame.length;
        kernel.set(slot, part, more ? NetmapAbi.NS_MOREFRAG : 0);
        slot = kernel.after(slot, 1);
      }
    }
    rings.setTail(IN, slot);
  }

  private int forward(Forwarding forwarding, Lane lane) {
    burst.clear();
    lane.source.peek(burst);
    int settled = forwarding.forward(lane, burst, 1_000_000_000L);
    lane.source.count(burst, settled);
    lane.source.advance(burst, settled);
    return settled;
  }

  private Forwarding forwarding(MacTable table) {
    return new Forwarding(List.copyOf(ports), table);
  }

  private static byte[] taken(NetmapRing ring, int slot) {
    byte[] frame = new byte[ring.length(slot)];
    Memory.copyToArray(ring.buffer(slot), frame, 0, frame.length);
    return frame;
  }

  @Test
  void aFrameMovesWithItsBufferAndBothSlotsSaySo() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort to = new RingPort("to", rings.ring(OTHER), rings.ring(OUT));
    byte[] frame = frame(mac(1), mac(2), 200, 1);
    arrive(frame);
    long lent = rings.ring(IN).buffer(0);
    long room = rings.ring(OUT).buffer(0);
    Lane lane = new Lane(from.sources().getFirst(), 0);
    assertEquals(1, forward(forwarding(new MacTable(2, 300)), lane));
    assertEquals(lent, rings.ring(OUT).buffer(0));
    assertEquals(room, rings.ring(IN).buffer(0));
    assertArrayEquals(frame, taken(rings.ring(OUT), 0));
    assertEquals(NetmapAbi.NS_BUF_CHANGED, rings.ring(OUT).flags(0));
    assertEquals(NetmapAbi.NS_BUF_CHANGED, rings.ring(IN).flags(0));
    assertEquals(1, rings.head(IN));
    assertEquals(1, rings.head(OUT));
    assertEquals(1, to.out.moved);
    assertEquals(1, to.out.frames);
    assertEquals(200, to.out.bytes);
  }

  @Test
  void aFrameForAnotherMemoryIsCopied() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), rings.ring(OUT));
    RingPort to = new RingPort("to", rings.ring(OTHER), elsewhere.ring(0));
    byte[] frame = frame(mac(1), mac(2), 60, 1);
    arrive(frame);
    long lent = rings.ring(IN).buffer(0);
    forward(forwarding(new MacTable(2, 300)), new Lane(from.sources().getFirst(), 0));
    assertEquals(lent, rings.ring(IN).buffer(0));
    assertNotEquals(lent, elsewhere.ring(0).buffer(0));
    assertArrayEquals(frame, taken(elsewhere.ring(0), 0));
    assertEquals(0, to.out.moved);
    assertEquals(1, to.out.frames);
  }

  @Test
  void aFrameOfSeveralSlotsIsCopied() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort to = new RingPort("to", rings.ring(OTHER), rings.ring(OUT));
    byte[] large = frame(mac(1), mac(2), TestRings.BUFFER + 50, 1);
    arrive(large);
    forward(forwarding(new MacTable(2, 300)), new Lane(from.sources().getFirst(), 0));
    assertEquals(0, to.out.moved);
    assertEquals(1, to.out.frames);
    assertEquals(2, rings.head(OUT));
    NetmapRing out = rings.ring(OUT);
    assertEquals(TestRings.BUFFER, out.length(0));
    assertEquals(50, out.length(1));
    assertEquals(NetmapAbi.NS_MOREFRAG, out.flags(0));
    assertEquals(0, out.flags(1));
  }

  /** The first sink of a flood must not take the buffer from under the others. */
  @Test
  void aFloodedFrameReachesEveryPortWholeAndMovesAtMostToTheLast() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort first = new RingPort("first", rings.ring(OTHER), rings.ring(OUT));
    RingPort second = new RingPort("second", elsewhere.ring(0), rings.ring(OTHER));
    byte[] frame = frame(BROADCAST, mac(2), 100, 7);
    arrive(frame);
    Lane lane = new Lane(from.sources().getFirst(), 0);
    assertEquals(1, forward(forwarding(new MacTable(3, 300)), lane));
    assertArrayEquals(frame, taken(rings.ring(OUT), 0));
    assertArrayEquals(frame, taken(rings.ring(OTHER), 0));
    assertEquals(0, first.out.moved);
    assertEquals(1, second.out.moved);
  }

  @Test
  void inAMixOfFloodsAndUnicastEveryFrameArrivesWholeAndNoBufferIsLost() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort first = new RingPort("first", rings.ring(OTHER), rings.ring(OUT));
    RingPort second = new RingPort("second", elsewhere.ring(0), rings.ring(OTHER));
    var table = new MacTable(3, 300);
    table.learn(Frames.key(mac(11)), 1, 1);
    table.learn(Frames.key(mac(12)), 2, 1);
    Forwarding forwarding = forwarding(table);
    Lane lane = new Lane(from.sources().getFirst(), 0);
    Random random = new Random(5);
    List<Deque<byte[]>> expected = List.of(new ArrayDeque<>(), new ArrayDeque<>());
    int[] at = new int[2];
    for (int round = 0; round < 2000; round++) {
      byte[][] frames = new byte[1 + random.nextInt(6)][];
      for (int n = 0; n < frames.length; n++) {
        long to = random.nextInt(3) == 0 ? BROADCAST : mac(11 + random.nextInt(2));
        int length = 60 + random.nextInt(TestRings.BUFFER + 40);
        frames[n] = frame(to, mac(2), length, random.nextInt());
        if (to != mac(12)) {
          expected.get(0).add(frames[n]);
        }
        if (to != mac(11)) {
          expected.get(1).add(frames[n]);
        }
      }
      arrive(frames);
      assertEquals(frames.length, forward(forwarding, lane));
      for (int sink = 0; sink < 2; sink++) {
        at[sink] = drain(sink + 1, at[sink], expected.get(sink));
      }
    }
    assertTrue(first.out.moved > 500, first.out.moved + " moved");
    assertTrue(second.out.moved > 500, second.out.moved + " moved");
    assertEquals(0, first.out.dropped() + second.out.dropped());
  }

  /** The kernel sends: what lies between where it was and head, frame by frame. */
  private int drain(int r, int from, Deque<byte[]> expected) {
    NetmapRing ring = rings.ring(r);
    int slot = from;
    while (slot != rings.head(r)) {
      byte[] frame = expected.remove();
      int done = 0;
      boolean more = true;
      while (more) {
        byte[] part = taken(ring, slot);
        assertArrayEquals(java.util.Arrays.copyOfRange(frame, done, done + part.length), part);
        done += part.length;
        more = (ring.flags(slot) & NetmapAbi.NS_MOREFRAG) != 0;
        slot = ring.after(slot, 1);
      }
      assertEquals(frame.length, done);
    }
    assertTrue(expected.isEmpty());
    rings.giveAll(r);
    return slot;
  }

  /** A sink that takes only some: those stay taken while the rest waits in the source. */
  @Test
  void aFrameThatMovedWhileAnotherHadToWaitIsNotSentAgain() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort to = new RingPort("to", rings.ring(OTHER), rings.ring(OUT));
    byte[][] frames = new byte[12][];
    for (int n = 0; n < frames.length; n++) {
      frames[n] = frame(mac(1), mac(2), 60, n);
    }
    arrive(frames);
    rings.setTail(OUT, 5);
    Lane lane = new Lane(from.sources().getFirst(), 0);
    Forwarding forwarding = forwarding(new MacTable(2, 300));
    assertEquals(5, forward(forwarding, lane));
    assertEquals(0, forward(forwarding, lane));
    rings.giveAll(OUT);
    assertEquals(7, forward(forwarding, lane));
    for (int n = 0; n < frames.length; n++) {
      assertArrayEquals(frames[n], taken(rings.ring(OUT), n));
    }
    assertEquals(12, to.out.moved);
  }

  @Test
  void aBufferIndexThatNamesNoBufferIsNeverSwapped() throws Exception {
    RingPort from = new RingPort("from", rings.ring(IN), elsewhere.ring(0));
    RingPort to = new RingPort("to", rings.ring(OTHER), rings.ring(OUT));
    arrive(frame(mac(1), mac(2), 60, 1));
    NetmapRing scribbled = rings.ring(OUT);
    long good = scribbled.bufferIndex(0);
    scribbled.setBufferIndex(0, 1_000_000);
    forward(forwarding(new MacTable(2, 300)), new Lane(from.sources().getFirst(), 0));
    assertEquals(0, to.out.frames);
    assertEquals(1, to.out.status().drops().get(DropReason.HOST_REFUSED));
    scribbled.setBufferIndex(0, good);
  }
}
