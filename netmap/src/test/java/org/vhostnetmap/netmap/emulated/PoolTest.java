// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.emulated.Pool.Census;

/** One memory of 18 data buffers. */
final class PoolTest {
  private final Pool pool = new Pool(1, new Pool.Geometry(2, 128, 3, 512, 20, 2048, 256));

  @BeforeEach
  void enter() throws ErrnoException {
    pool.enter();
  }

  @AfterEach
  void leave() {
    pool.leave();
    assertFalse(pool.inUse());
  }

  private Kring kring(int slots) {
    LoopAdapter adapter = new LoopAdapter("loop", pool, LoopDevice.ONE_PAIR);
    return new Kring(adapter, 0, true, false, slots, kring -> {});
  }

  private long newList(int count) {
    long object = pool.newInterface();
    Memory.putInt(object + NetmapAbi.IF_BUFS_HEAD, pool.newExtra(count));
    return object;
  }

  @Test
  void buffersBeginOnAPageAndTheirDataBehindTheHeadroom() {
    assertEquals(0, pool.buffersAddress() % 4096);
    assertEquals(pool.buffersAddress() + 5 * 2048 + 256, pool.data(5));
    assertEquals(1792, pool.usableBytes());
    assertEquals(20 * 2048, pool.buffersBytes());
  }

  @Test
  void givesEveryBufferOutOnceAndNeverTheReservedOnes() {
    Set<Integer> got = new HashSet<>();
    for (int i = 0; i < 18; i++) {
      got.add(pool.newBuffer());
    }
    assertEquals(18, got.size());
    assertFalse(got.contains(0) || got.contains(1));
    assertEquals(0, pool.newBuffer());
    assertEquals(new Census(0, 0, 0, 0, 18), pool.census());
    for (int buffer : got) {
      assertTrue(pool.freeBuffer(buffer));
      assertFalse(pool.freeBuffer(buffer));
    }
    for (long wrong : new long[] {0, 1, 20, -1, 1L << 32, (1L << 32) + 5}) {
      assertFalse(pool.freeBuffer(wrong), "buffer " + wrong);
    }
    assertEquals(new Census(0, 0, 18, 0, 0), pool.census());
  }

  @Test
  void aRingTakesABufferForEverySlotOrNone() {
    Kring large = kring(17);
    assertFalse(pool.newRing(large), "17 slots are more than 512 bytes");
    Kring first = kring(10);
    Kring second = kring(9);
    assertTrue(pool.newRing(first));
    assertFalse(pool.newRing(second), "8 buffers are left");
    assertEquals(new Census(10, 0, 8, 0, 0), pool.census());
    assertEquals(0, second.ring);
    pool.freeRing(first);
    pool.freeRing(first);
    assertEquals(new Census(0, 0, 18, 0, 0), pool.census());
    assertTrue(pool.newRing(second));
    pool.freeRing(second);
  }

  @Test
  void aFreshRingSaysWhatNetmapsSays() {
    Kring out = kring(8);
    assertTrue(pool.newRing(out));
    assertEquals(8, Memory.getUnsignedInt(out.ring + 8));
    assertEquals(2048, Memory.getUnsignedInt(out.ring + 12));
    assertEquals(1, Memory.getUnsignedShort(out.ring + 18));
    assertEquals(0, Memory.getUnsignedInt(out.ring + 20));
    assertEquals(0, Memory.getUnsignedInt(out.ring + 24));
    assertEquals(7, Memory.getUnsignedInt(out.ring + 28));
    assertEquals(pool.data(0), out.ring + Memory.getLong(out.ring));
    pool.freeRing(out);
  }

  @Test
  void memoryIsRecycledCleanlyWhereTheAbiSaysSomething() {
    Kring ring = kring(8);
    assertTrue(pool.newRing(ring));
    Memory.fill(ring.ring + 8, 256 + 8 * 16 - 8, 0xff);
    for (int slot = 0; slot < 8; slot++) {
      ring.setBufferIndex(slot, 2 + slot);
    }
    pool.freeRing(ring);
    assertTrue(pool.newRing(ring));
    assertEquals(0, ring.ringFlags());
    assertEquals(0, ring.flags(7));
    pool.freeRing(ring);
    assertEquals(18, pool.freeBuffers());
  }

  @Test
  void extraBuffersAreAListThatEndsWithZero() {
    long object = newList(3);
    long head = Memory.getUnsignedInt(object + NetmapAbi.IF_BUFS_HEAD);
    long second = Memory.getUnsignedInt(pool.data(head));
    long third = Memory.getUnsignedInt(pool.data(second));
    assertNotEquals(0, third);
    assertEquals(0, Memory.getUnsignedInt(pool.data(third)));
    assertEquals(new Census(0, 3, 15, 0, 0), pool.census());
    pool.freeInterface(object);
    assertEquals(new Census(0, 0, 18, 0, 0), pool.census());
  }

  @Test
  void fewerExtraBuffersAreGivenThanThereAreNot() {
    long object = newList(100);
    assertEquals(new Census(0, 18, 0, 0, 0), pool.census());
    pool.freeInterface(object);
    assertEquals(18, pool.freeBuffers());
  }

  @Test
  void aListThatLoopsIsFreedOnceAndEnds() {
    long object = newList(3);
    long head = Memory.getUnsignedInt(object + NetmapAbi.IF_BUFS_HEAD);
    long second = Memory.getUnsignedInt(pool.data(head));
    long third = Memory.getUnsignedInt(pool.data(second));
    Memory.putInt(pool.data(third), (int) head);
    assertEquals(new Census(0, 3, 15, 0, 0), pool.census());
    pool.freeInterface(object);
    assertEquals(new Census(0, 0, 18, 0, 0), pool.census());
  }

  @Test
  void aListThatRunsIntoARingOrAnotherListFreesNothingOfTheirs() {
    Kring ring = kring(4);
    assertTrue(pool.newRing(ring));
    long mine = newList(2);
    long other = newList(3);
    long second = Memory.getUnsignedInt(pool.data(Memory.getUnsignedInt(mine + 32)));
    Memory.putInt(pool.data(second), (int) ring.bufferIndex(1));
    assertEquals(1, pool.census().doubled());
    pool.freeInterface(mine);
    assertEquals(new Census(4, 3, 11, 0, 0), pool.census());

    long third = newList(1);
    Memory.putInt(
        pool.data(Memory.getUnsignedInt(third + 32)), (int) Memory.getUnsignedInt(other + 32));
    pool.freeInterface(third);
    assertEquals(new Census(4, 3, 11, 0, 0), pool.census());
    pool.freeInterface(other);
    pool.freeRing(ring);
  }

  @Test
  void aListOfNonsenseFreesNothing() {
    for (long nonsense : new long[] {1, 20, 0x7fffffffL, 0xffffffffL}) {
      long object = pool.newInterface();
      Memory.putInt(object + NetmapAbi.IF_BUFS_HEAD, (int) nonsense);
      pool.freeInterface(object);
      assertEquals(18, pool.freeBuffers());
    }
  }

  @Test
  void slotsThatNameABufferTwiceOrNoneFreeWhatIsThere() {
    Kring first = kring(4);
    Kring second = kring(4);
    assertTrue(pool.newRing(first) && pool.newRing(second));
    first.setBufferIndex(0, first.bufferIndex(1));
    first.setBufferIndex(2, second.bufferIndex(0));
    first.setBufferIndex(3, 0xffffffffL);
    assertEquals(new Census(7, 0, 10, 2, 3), pool.census());
    pool.freeRing(first);
    assertEquals(new Census(4, 0, 11, 0, 3), pool.census());
    pool.freeRing(second);
    assertEquals(new Census(0, 0, 15, 0, 3), pool.census());
  }

  @Test
  void whatWasLostIsBackWhenTheLastUserLeaves() throws ErrnoException {
    Pool other = new Pool(2, pool.geometry());
    other.enter();
    other.enter();
    assertEquals(2, other.newBuffer());
    other.leave();
    assertEquals(17, other.freeBuffers());
    other.leave();
    assertEquals(-1, other.fd());
    assertEquals(18, other.freeBuffers());
  }

  @Test
  void memoriesHaveIdsThatComeBack() throws NetmapException {
    Pools pools = new Pools(pool.geometry());
    Pool second = pools.create(pool.geometry());
    Pool third = pools.create(pool.geometry());
    assertEquals(2, second.id());
    assertEquals(3, third.id());
    assertEquals(second, pools.find(2));
    pools.release(second);
    pools.release(second);
    assertThrows(NetmapException.class, () -> pools.find(2));
    assertEquals(2, pools.create(pool.geometry()).id());
    pools.release(pools.global());
    assertEquals(1, pools.global().id());
  }

  @Test
  void noMemoryIsCutIntoNonsense() {
    for (Pool.Geometry wrong :
        new Pool.Geometry[] {
          new Pool.Geometry(1, 128, 1, 512, 2, 2048, 0),
          new Pool.Geometry(1, 128, 1, 512, 20, 63, 0),
          new Pool.Geometry(1, 128, 1, 512, 20, 65537, 0),
          new Pool.Geometry(1, 128, 1, 512, 20, 2048, 2048),
          new Pool.Geometry(1, 128, 1, 512, 20, 2048, -1)
        }) {
      assertThrows(IllegalArgumentException.class, () -> new Pool(9, wrong));
    }
  }
}
