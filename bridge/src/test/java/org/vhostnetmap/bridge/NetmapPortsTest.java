// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingMemory;

/** Netmap rings as sink and as source, with the test in the kernel's place. */
final class NetmapPortsTest {
  private static final int SLOTS = 16;
  private static final int BUFFER = 256;

  private final Burst burst = new Burst();
  private final QueueCounters counters = new QueueCounters("ring", true);
  private RingMemory memory;
  private NetmapRing kernel; // the same ring as the kernel reads it
  private Mapping frames;
  private int syncs;

  @BeforeEach
  void map() throws Exception {
    memory = new RingMemory(SLOTS, BUFFER);
    kernel = memory.ring();
    frames = Mapping.anonymous(1 << 20);
  }

  @AfterEach
  void unmap() {
    memory.close();
    frames.close();
  }

  private NetmapSink sink() {
    return new NetmapSink(memory.ring(), () -> syncs++, counters);
  }

  private final class TestSource extends NetmapSource {
    TestSource() {
      this(List.of(memory.ring()));
    }

    TestSource(List<NetmapRing> rings) {
      super(rings, () -> syncs++, counters);
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

  private void lend(byte[]... lent) {
    burst.clear();
    burst.taken = 0;
    long at = frames.address();
    for (byte[] frame : lent) {
      Memory.copyFromArray(frame, 0, at, frame.length);
      burst.append(at, frame.length);
      at += frame.length;
    }
  }

  private long drops(DropReason reason) {
    return counters.status().drops().getOrDefault(reason, 0L);
  }

  /** Takes a frame out of the slots from {@code first} on, as the kernel would. */
  private byte[] taken(int first) {
    List<byte[]> parts = new ArrayList<>();
    int slot = first;
    for (boolean more = true; more; slot = kernel.after(slot, 1)) {
      byte[] part = new byte[kernel.length(slot)];
      Memory.copyToArray(kernel.buffer(slot), part, 0, part.length);
      parts.add(part);
      more = (kernel.flags(slot) & NetmapAbi.NS_MOREFRAG) != 0;
    }
    byte[] whole = new byte[parts.stream().mapToInt(p -> p.length).sum()];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, whole, at, part.length);
      at += part.length;
    }
    return whole;
  }

  private void put(int slot, byte[] part, int flags) {
    Memory.copyFromArray(part, 0, kernel.buffer(slot), part.length);
    kernel.set(slot, part.length, flags);
  }

  @Test
  void aLongFrameTakesSeveralSlotsLinkedByMorefragAroundTheEndOfTheRing() {
    NetmapSink sink = sink();
    byte[] small = frame(mac(1), mac(2), BUFFER, 1);
    byte[] large = frame(mac(1), mac(2), 3 * BUFFER + 1, 2);
    int slot = 0;
    for (int round = 0; round < 50; round++) {
      lend(small, large);
      assertEquals(0, sink.offer(burst, 3));
      assertEquals(3, burst.taken);
      assertArrayEquals(small, taken(slot));
      assertArrayEquals(large, taken(kernel.after(slot, 1)));
      slot = kernel.after(slot, 5);
      memory.giveAll();
    }
    assertEquals(100, counters.frames);
    assertEquals(50L * (4 * BUFFER + 1), counters.bytes);
  }

  @Test
  void aFrameOfMoreSlotsThanTheNicTakesIsDroppedWhole() {
    NetmapSink sink = new NetmapSink(memory.ring(), () -> syncs++, counters, 1);
    byte[] small = frame(mac(1), mac(2), BUFFER, 1);
    byte[] large = frame(mac(1), mac(2), BUFFER + 1, 2);
    lend(large, small, large, small);
    assertEquals(0, sink.offer(burst, 15));
    assertEquals(15, burst.taken);
    assertEquals(2, counters.frames);
    assertEquals(2, drops(DropReason.TOO_LONG));
    assertArrayEquals(small, taken(0));
    assertArrayEquals(small, taken(1));
    assertEquals(2, memory.ring().head());
  }

  @Test
  void aBeginningWithoutItsEndIsNoNewsAndHoldsUpNoOtherRing() throws Exception {
    try (RingMemory other = new RingMemory(SLOTS, BUFFER)) {
      var source = new TestSource(List.of(memory.ring(), other.ring()));
      byte[] half = frame(mac(1), mac(2), 60, 1);
      byte[] whole = frame(mac(1), mac(2), 61, 2);
      put(0, half, NetmapAbi.NS_MOREFRAG);
      memory.give(0, 1);
      other.give(0, 0);
      burst.clear();
      source.peek(burst);
      assertEquals(0, burst.count);
      assertFalse(source.hasNews());
      NetmapRing second = other.ring();
      Memory.copyFromArray(whole, 0, second.buffer(0), whole.length);
      second.set(0, whole.length, 0);
      other.give(0, 1);
      assertTrue(source.hasNews());
      source.peek(burst);
      assertEquals(1, burst.count);
      assertEquals(61, burst.length[0]);
      source.advance(burst, 1);
      put(1, half, 0);
      memory.give(0, 2);
      assertTrue(source.hasNews());
      burst.clear();
      source.peek(burst);
      assertEquals(120, burst.length[0]);
    }
  }

  @Test
  void aFullRingLeavesTheLastFramesAndTakesThemAfterASync() {
    NetmapSink sink = sink();
    byte[][] many = new byte[20][];
    for (int n = 0; n < 20; n++) {
      many[n] = frame(mac(1), mac(2), 60, n);
    }
    lend(many);
    assertEquals(Burst.from(15) & Burst.first(20), sink.offer(burst, Burst.first(20)));
    assertEquals(Burst.first(15), burst.taken);
    assertEquals(0, counters.dropped());
    memory.giveAll();
    assertEquals(0, sink.offer(burst, Burst.from(15) & Burst.first(20)));
    assertArrayEquals(many[19], taken(3));
    assertEquals(20, counters.frames);
    int before = syncs;
    sink.flush();
    sink.flush();
    assertEquals(before + 1, syncs, "one sync for all that was offered");
  }

  @Test
  void aFrameThatNeedsMoreSlotsThanTheRingHasIsTooLongAndHoldsUpNobody() {
    lend(frame(mac(1), mac(2), BUFFER * SLOTS, 1), frame(mac(1), mac(2), 60, 2));
    assertEquals(0, sink().offer(burst, 3));
    assertEquals(1, drops(DropReason.TOO_LONG));
    assertEquals(3, burst.taken);
    assertEquals(2, Frames.number(taken(0)));
  }

  @Test
  void aSlotWhoseBufferIndexWasScribbledOverCostsFramesButNothingElse() {
    NetmapSink sink = sink();
    long ring = kernel.buffer(0) - 2L * BUFFER - 4096;
    Memory.putInt(ring + NetmapAbi.RING_BYTES + 16, 0x7fffffff);
    lend(frame(mac(1), mac(2), 60, 1), frame(mac(1), mac(2), 60, 2), frame(mac(1), mac(2), 600, 3));
    assertEquals(0, sink.offer(burst, 7));
    assertEquals(2, drops(DropReason.HOST_REFUSED));
    assertEquals(7, burst.taken);
    Memory.putInt(ring + NetmapAbi.RING_BYTES + 16, 3);
    assertEquals(0, sink.offer(burst, 4));
    assertEquals(3, Frames.number(taken(1)));
  }

  @Test
  void aSourceLendsSlotsInPlaceAndGivesThemBackOnlyWhenConsumed() {
    memory.give(0, 0);
    TestSource source = new TestSource();
    put(0, frame(mac(1), mac(2), 60, 1), 0);
    put(1, frame(mac(1), mac(2), BUFFER, 2), NetmapAbi.NS_MOREFRAG);
    put(2, new byte[] {9, 9}, 0);
    put(3, frame(mac(1), mac(2), 13, 3), 0);
    memory.give(0, 4);
    for (int look = 0; look < 2; look++) {
      burst.clear();
      source.peek(burst);
      assertEquals(3, burst.count);
      assertEquals(0b011, burst.valid);
      assertEquals(kernel.buffer(0), burst.address[0]);
      assertEquals(BUFFER + 2, burst.length[1]);
      assertEquals(2, burst.segments[1]);
      assertEquals(DropReason.TOO_SHORT, burst.reason[2]);
    }
    source.advance(burst, 2);
    burst.clear();
    source.peek(burst);
    assertEquals(1, burst.count);
    assertEquals(13, burst.length[0]);
  }

  @Test
  void aFrameWhoseEndHasNotComeYetIsLeftUntilItHas() {
    memory.give(0, 0);
    TestSource source = new TestSource();
    put(0, frame(mac(1), mac(2), 60, 1), NetmapAbi.NS_MOREFRAG);
    memory.give(0, 1);
    source.peek(burst);
    assertEquals(0, burst.count);
    put(1, new byte[5], 0);
    memory.give(0, 2);
    burst.clear();
    source.peek(burst);
    assertEquals(65, burst.length[0]);
  }

  @Test
  void aFrameWithoutEndThatFillsTheRingIsDroppedSoThatTheRingGoesOn() {
    TestSource source = new TestSource();
    for (int slot = 0; slot < SLOTS; slot++) {
      put(slot, frame(mac(1), mac(2), 60, slot), NetmapAbi.NS_MOREFRAG);
    }
    source.peek(burst);
    assertEquals(1, burst.count);
    assertEquals(0, burst.valid);
    assertEquals(DropReason.HOST_REFUSED, burst.reason[0]);
    source.advance(burst, 1);
    assertEquals(15, Memory.getUnsignedInt(kernel.buffer(0) - 2L * BUFFER - 4096 + 20));
  }

  @Test
  void emptySlotsAndBadBufferIndexesAreDroppedWithTheirFrame() {
    memory.give(0, 0);
    TestSource source = new TestSource();
    put(0, frame(mac(1), mac(2), 60, 1), NetmapAbi.NS_MOREFRAG);
    kernel.set(1, 0, 0);
    put(2, frame(mac(1), mac(2), 60, 2), 0);
    Memory.putInt(kernel.buffer(0) - 2L * BUFFER - 4096 + NetmapAbi.RING_BYTES + 32, 1);
    put(3, frame(mac(1), mac(2), 60, 3), 0);
    memory.give(0, 4);
    source.peek(burst);
    source.count(burst, burst.count);
    assertEquals(3, burst.count);
    assertEquals(0b100, burst.valid);
    assertEquals(Map.of(DropReason.HOST_REFUSED, 2L), counters.status().drops());
    assertEquals(kernel.buffer(3), burst.address[2]);
  }

  @Test
  void manyFramesOfManySlotsThatDontFitOneBurstComeInSeveral() throws Exception {
    try (RingMemory large = new RingMemory(8192, 64)) {
      NetmapRing ring = large.ring();
      for (int slot = 0; slot < 8191; slot++) {
        ring.set(slot, 64, slot % 300 == 299 ? 0 : NetmapAbi.NS_MOREFRAG);
      }
      NetmapSource source =
          new NetmapSource(large.ring(), () -> {}, counters) {
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
          };
      int frames = 0;
      for (int round = 0; round < 10; round++) {
        burst.clear();
        source.peek(burst);
        assertEquals(Burst.first(burst.count), burst.valid);
        for (int i = 0; i < burst.count; i++) {
          assertEquals(300, burst.segments[i]);
        }
        frames += burst.count;
        source.advance(burst, burst.count);
      }
      assertEquals(27, frames);
    }
  }

  @Test
  void framesCopiedIntoARingAndLentFromAnotherArriveAsTheyWereWhateverTheirLengths() {
    Random random = new Random(11);
    NetmapSink sink = sink();
    TestSource source = new TestSource();
    int firstSlot = 0;
    for (int round = 0; round < 2000; round++) {
      byte[] sent = frame(mac(1), mac(2), 14 + random.nextInt(BUFFER * 14), round);
      lend(sent);
      memory.giveAll();
      assertEquals(0, sink.offer(burst, 1));
      int used = (sent.length + BUFFER - 1) / BUFFER;
      memory.give(firstSlot, used);
      burst.clear();
      source.peek(burst);
      assertEquals(1, burst.count);
      burst.copyTo(0, frames.address() + (1 << 19));
      byte[] got = new byte[burst.length[0]];
      Memory.copyToArray(frames.address() + (1 << 19), got, 0, got.length);
      assertArrayEquals(sent, got);
      source.advance(burst, 1);
      firstSlot = kernel.after(firstSlot, used);
    }
  }

  @Test
  void aGeneratorSendsValidUdpOfItsLengthAndAtItsRate() throws Exception {
    PktgenPort port = new PktgenPort("pktgen", 64, 1000, 1);
    try {
      Source source = port.sources().get(0);
      long before = System.nanoTime();
      source.peek(burst);
      long after = System.nanoTime(); // its clock began in between
      // However slow this thread is: never more than is due, and all that was due before the look.
      for (long frames = 0; frames < 200; ) {
        double owed = (System.nanoTime() - after) / 1e6 - frames;
        burst.clear();
        source.peek(burst);
        for (int i = 0; i < burst.count; i++) {
          assertEquals(64, burst.length[i]);
        }
        assertTrue(burst.count >= Math.min(Burst.FRAMES, Math.floor(owed)), "owed " + owed);
        frames += burst.count;
        double due = (System.nanoTime() - before) / 1e6;
        assertTrue(frames <= due, frames + " frames, due " + due);
        source.count(burst, burst.count);
        source.advance(burst, burst.count);
      }
    } finally {
      port.close();
    }
  }

  @Test
  void aGeneratorsHeaderChecksumAndLengthsAreRight() throws Exception {
    for (int length : new int[] {60, 64, 1514, 2048}) {
      PktgenPort port = new PktgenPort("pktgen", length, 0, 1);
      try {
        burst.clear();
        port.sources().get(0).peek(burst);
        assertEquals(Burst.FRAMES, burst.count);
        byte[] frame = new byte[length];
        Memory.copyToArray(burst.address[31], frame, 0, length);
        java.nio.ByteBuffer packet = java.nio.ByteBuffer.wrap(frame);
        int sum = 0;
        for (int at = 14; at < 34; at += 2) {
          sum += packet.getShort(at) & 0xffff;
        }
        assertEquals(0xffff, (sum & 0xffff) + (sum >>> 16));
        assertEquals(length - 14, packet.getShort(16) & 0xffff);
        assertEquals(length - 34, packet.getShort(38) & 0xffff);
      } finally {
        port.close();
      }
    }
  }

  @Test
  void aGeneratorRefusesLengthsThatDontFitItsBuffers() {
    for (int length : new int[] {-1, 0, 59, 2049, 65535}) {
      assertThrows(IllegalArgumentException.class, () -> new PktgenPort("pktgen", length, 0, 1));
    }
  }
}
