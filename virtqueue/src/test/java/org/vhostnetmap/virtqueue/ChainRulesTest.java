// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;
import static org.vhostnetmap.fakes.FakeDriver.WRITE;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeRing.Raw;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** What a chain may look like (virtio 1.3, 2.7.4, 2.7.5 and 2.8.5 to 2.8.7). */
@ParameterizedClass
@EnumSource(RingFormat.class)
class ChainRulesTest {
  private final RingFormat format;

  ChainRulesTest(RingFormat format) {
    this.format = format;
  }

  private static final int SIZE = 16;

  @Nested
  class DirectionOfBuffers {
    @Test
    void rejectsWritableBufferInTransmitqueue() {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        ring.driver.post(ring.writable(8));
        ring.assertFault(Reason.DIRECTION);
      }
    }

    @Test
    void rejectsReadableBufferInReceiveq() {
      try (TestRing ring = new TestRing(Options.of(format, SIZE).direction(Direction.WRITABLE))) {
        ring.driver.post(ring.readable(8));
        ring.assertFault(Reason.DIRECTION);
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rejectsOneWrongBufferAnywhereInTheChain(boolean indirect) {
      for (Direction direction : new Direction[] {Direction.READABLE, Direction.WRITABLE}) {
        for (int wrong = 0; wrong < 4; wrong++) {
          for (int length : new int[] {0, 8}) {
            try (TestRing ring = new TestRing(Options.of(format, SIZE).direction(direction))) {
              Piece[] pieces = new Piece[4];
              for (int i = 0; i < 4; i++) {
                boolean writable = (direction == Direction.WRITABLE) != (i == wrong);
                pieces[i] = new Piece(ring.driver.buffer(8), i == wrong ? length : 8, writable);
              }
              if (indirect) {
                ring.driver.postIndirect(pieces);
              } else {
                ring.driver.post(pieces);
              }
              ring.assertFault(Reason.DIRECTION);
            }
          }
        }
      }
    }

    @Test
    void takesReadableThenWritableInMixedQueueAndTellsWhereTheWritableBegin() throws GuestFault {
      try (TestRing ring = new TestRing(Options.of(format, SIZE).direction(Direction.MIXED))) {
        ring.driver.post(ring.readable(16), ring.readable(4), ring.writable(8), ring.writable(1));
        ring.driver.post(ring.readable(5));
        ring.driver.post(ring.writable(6));
        ring.driver.postIndirect(ring.readable(3), ring.writable(2));
        assertEquals(4, ring.peek());
        assertEquals(2, ring.chains.firstWritable[0]);
        assertEquals(5, ring.chains.firstWritable[1]);
        assertEquals(5, ring.chains.firstWritable[2]);
        assertEquals(7, ring.chains.firstWritable[3]);
        assertArrayEquals(
            new int[] {0, 4, 5, 6, 8}, java.util.Arrays.copyOf(ring.chains.firstSegment, 5));
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 8})
    void rejectsReadableAfterWritableInMixedQueue(int writableLength) {
      try (TestRing ring = new TestRing(Options.of(format, SIZE).direction(Direction.MIXED))) {
        ring.driver.post(ring.readable(16), ring.writable(writableLength), ring.readable(4));
        ring.assertFault(Reason.DIRECTION);
      }
    }
  }

  @Nested
  class IndirectTables {
    @Test
    void readsTheSameBytesAsThroughTheRing() throws GuestFault {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        Piece[] pieces = new Piece[20]; // more than the ring has: DPDK and Linux drivers do that
        byte[] expected = new byte[20];
        for (int i = 0; i < 20; i++) {
          expected[i] = (byte) (7 * i);
          pieces[i] = new Piece(ring.driver.bufferWith(new byte[] {(byte) (7 * i)}), 1, false);
        }
        int head = ring.driver.postIndirect(pieces);
        assertEquals(1, ring.peek());
        assertEquals(head, ring.chains.head[0]);
        assertArrayEquals(expected, ring.bytes(0));
      }
    }

    @Test
    void ignoresWriteFlagOnTheDescriptorOfTheTable() throws GuestFault {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        long table = ring.driver.buffer(16);
        ring.driver.descriptorAt(table, ring.driver.arena(), 8, 0, 0);
        ring.driver.chain(new Raw(table, 16, INDIRECT | WRITE));
        assertEquals(1, ring.peek());
      }
    }

    @Test
    void rejectsIndirectThatWasNotNegotiated() {
      try (TestRing ring = new TestRing(Options.of(format, SIZE).withoutIndirect())) {
        ring.driver.postIndirect(ring.readable(8));
        ring.assertFault(Reason.INDIRECT);
      }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 8, 15, 17, 31, 0x8000_0000L, 0xffff_ffffL, 16L * 32769})
    void rejectsTableOfNoWholeNumberOfDescriptors(long bytes) {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        ring.driver.chain(new Raw(ring.driver.arena(), bytes, INDIRECT));
        ring.assertFault(Reason.INDIRECT);
      }
    }

    @Test
    void rejectsTableThatRunsPastTheEndOfMemory() {
      for (int inside : new int[] {0, 8, 16, 24}) {
        try (TestRing ring = TestRing.of(format, SIZE)) {
          long table = ring.guestEnd() - inside;
          if (inside >= 16) {
            ring.driver.descriptorAt(table, ring.driver.arena(), 8, NEXT, 1);
          }
          ring.driver.chain(new Raw(table, 32, INDIRECT));
          ring.assertFault(Reason.ADDRESS);
        }
      }
    }
  }

  @Nested
  class FaultsWaitTheirTurn {
    @Test
    void takesGoodChainsBeforeABadOneFirst() throws GuestFault {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        ring.driver.send(new byte[] {1});
        ring.driver.send(new byte[] {2}, new byte[] {3});
        ring.driver.post(new Piece(ring.guestEnd(), 8, false));
        ring.driver.send(new byte[] {4});
        assertEquals(2, ring.peek());
        assertEquals(0, ring.queue.peek(ring.chains, 8), "the fault waits behind chains held");
        ring.finish(2);
        ring.assertFault(Reason.ADDRESS);
        int base = ring.queue.base();
        ring.assertFault(Reason.ADDRESS);
        assertEquals(base, ring.queue.base(), "a bad chain is not consumed");
        assertNotNull(ring.driver.takeUsed());
        assertNotNull(ring.driver.takeUsed());
        assertNull(ring.driver.takeUsed(), "nor given back");
      }
    }

    @Test
    void leavesNothingOfABadChainBehind() throws GuestFault {
      try (TestRing ring = TestRing.of(format, SIZE)) {
        ring.driver.send(new byte[] {1});
        ring.driver.post(ring.readable(8), ring.readable(8), new Piece(ring.guestEnd(), 8, false));
        assertEquals(1, ring.peek());
        assertEquals(1, ring.chains.count());
        assertEquals(1, ring.chains.firstSegment[1]);
      }
    }
  }
}
