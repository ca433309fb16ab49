// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/** A ring in a region of our own, laid out by net/netmap.h's offsets written as plain numbers. */
final class NetmapRingTest {
  private static final int SLOTS = 8;
  private static final int BUFFER = 512;
  private static final long REGION_BYTES = 16384;
  private static final long BUFFERS_AT = 4096;

  private Mapping region;
  private long ring;

  @BeforeEach
  void layOut() throws ErrnoException {
    region = Mapping.anonymous(REGION_BYTES);
    ring = region.address();
    Memory.putLong(ring, BUFFERS_AT);
    Memory.putInt(ring + 8, SLOTS);
    Memory.putInt(ring + 12, BUFFER);
    for (int slot = 0; slot < SLOTS; slot++) {
      Memory.putInt(ring + 256 + 16L * slot, 2 + slot);
    }
  }

  @AfterEach
  void unmap() {
    region.close();
  }

  private NetmapRing open() {
    return new NetmapRing(ring, region.address(), REGION_BYTES);
  }

  private void refused() {
    assertThrows(IllegalArgumentException.class, this::open);
  }

  @Test
  void findsSlotsAndBuffersByTheAbisOffsets() {
    NetmapRing view = open();
    assertEquals(SLOTS, view.slots());
    assertEquals(BUFFER, view.bufferBytes());
    assertEquals(region.address() + BUFFERS_AT + 5L * BUFFER, view.buffer(3));
    view.set(3, 0x1234, NetmapAbi.NS_MOREFRAG);
    assertEquals(0x1234, Memory.getUnsignedShort(ring + 256 + 16 * 3 + 4));
    assertEquals(0x20, Memory.getUnsignedShort(ring + 256 + 16 * 3 + 6));
  }

  @Test
  void refusesSlotCountsThatNoRingOfThisRegionCanHave() {
    for (int slots : new int[] {0, 1, (16384 - 256) / 16 + 1, 1 << 21, 0x80000008, -1}) {
      Memory.putInt(ring + 8, slots);
      refused();
    }
  }

  @Test
  void refusesBufferSizesThatNoNetmapMemoryHas() {
    for (int bytes : new int[] {0, 1, 63, (1 << 16) + 1, 0x80000200, -1}) {
      Memory.putInt(ring + 12, bytes);
      refused();
    }
  }

  @Test
  void refusesBuffersThatBeginOutsideTheRegion() {
    for (long offset :
        new long[] {-1, REGION_BYTES, Long.MAX_VALUE, Long.MIN_VALUE, -ring, -ring - 1, 1L << 47}) {
      Memory.putLong(ring, offset);
      refused();
    }
  }

  @Test
  void refusesARingOutsideItsRegionWithoutReadingIt() {
    long end = region.address() + REGION_BYTES;
    for (long where : new long[] {0, 8, ring - 8, ring + 4, end - 256, end, end + 4096}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new NetmapRing(where, region.address(), REGION_BYTES),
          Long.toHexString(where));
    }
  }

  @Test
  void aBufferIndexOutOfRangeNeverBecomesAnAddress() {
    NetmapRing view = open();
    long last = (REGION_BYTES - BUFFERS_AT) / BUFFER - 1;
    for (long index : new long[] {0, 1, last + 1, 1 << 16, 0x7fffffffL, 0x80000000L, 0xffffffffL}) {
      Memory.putInt(ring + 256, (int) index);
      assertEquals(0, view.buffer(0), "index " + index);
    }
    Memory.putInt(ring + 256, (int) last);
    assertEquals(region.address() + REGION_BYTES - BUFFER, view.buffer(0));
  }

  @Test
  void everyBufferItNamesLiesWhollyInTheRegionWhateverTheHeaderSaysLater() {
    NetmapRing view = open();
    Random random = new Random(7);
    for (int round = 0; round < 100_000; round++) {
      Memory.putLong(ring, random.nextLong());
      Memory.putLong(ring + 8, random.nextLong());
      Memory.putLong(ring + 24, random.nextLong());
      int slot = random.nextInt(SLOTS);
      Memory.putLong(ring + 256 + 16L * slot, random.nextLong() >>> random.nextInt(64));
      long buffer = view.buffer(slot);
      assertTrue(
          buffer == 0
              || (buffer >= region.address()
                  && buffer + view.bufferBytes() <= region.address() + REGION_BYTES));
      assertTrue(view.length(slot) <= BUFFER);
      assertTrue(view.tail() >= 0 && view.tail() < SLOTS);
      assertTrue(view.space() >= 0 && view.space() < SLOTS);
    }
  }

  @Test
  void aLengthLongerThanTheBufferIsCutToIt() {
    Memory.putShort(ring + 256 + 4, 65535);
    assertEquals(BUFFER, open().length(0));
  }

  @Test
  void aBufferOf64KiBTakesNoMoreThanItsLengthFieldCanSay() throws ErrnoException {
    try (RingMemory memory = new RingMemory(4, 1 << 16)) {
      NetmapRing view = memory.ring();
      assertEquals(65535, view.bufferBytes());
      assertEquals(1 << 16, view.buffer(1) - view.buffer(0));
      view.set(0, view.bufferBytes(), NetmapAbi.NS_MOREFRAG);
      assertEquals(65535, view.length(0));
      assertEquals(NetmapAbi.NS_MOREFRAG, view.flags(0));
    }
  }

  @Test
  void walksAroundTheEndOfTheRing() {
    Memory.putInt(ring + 20, 6);
    Memory.putInt(ring + 24, 6);
    Memory.putInt(ring + 28, 3);
    NetmapRing view = open();
    assertEquals(6, view.head());
    assertEquals(5, view.space());
    assertEquals(0, view.after(6, 2));
    assertEquals(6, view.after(6, SLOTS));
    view.advanceTo(view.after(view.head(), 5));
    assertEquals(0, view.space());
    assertEquals(3, Memory.getUnsignedInt(ring + 20));
    assertEquals(3, Memory.getUnsignedInt(ring + 24));
  }

  @Test
  void indexesOutOfRangeAreBroughtIntoIt() {
    Memory.putInt(ring + 20, -1);
    Memory.putInt(ring + 28, 0x80000001);
    NetmapRing view = open();
    assertTrue(view.head() >= 0 && view.head() < SLOTS);
    assertEquals(1, view.tail());
  }

  @Test
  void aRingOfOurOwnGivesEverySlotABufferOfItsOwnAndAllButOneToTheUser() throws ErrnoException {
    try (RingMemory memory = new RingMemory(16, 2048)) {
      NetmapRing view = memory.ring();
      assertEquals(15, view.space());
      for (int slot = 1; slot < 16; slot++) {
        assertEquals(view.buffer(slot - 1) + 2048, view.buffer(slot));
      }
      view.advanceTo(view.after(0, 15));
      assertEquals(0, view.space());
      memory.giveAll();
      assertEquals(15, view.space());
      memory.give(view.head(), 4);
      assertEquals(4, view.space());
      assertNotEquals(0, view.buffer(view.after(view.head(), 3)));
    }
  }

  @Test
  void aRingOfOurOwnNeedsTwoSlots() {
    assertThrows(IllegalArgumentException.class, () -> new RingMemory(1, 2048));
    assertThrows(IllegalArgumentException.class, () -> new RingMemory(2, 0));
  }
}
