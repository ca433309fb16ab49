// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** Looking ahead. */
@ParameterizedClass
@EnumSource(RingFormat.class)
class PeekTest {
  private final RingFormat format;

  PeekTest(RingFormat format) {
    this.format = format;
  }

  @Test
  void consumesNothingAndWritesNothingHoweverOftenItIsCalled() throws GuestFault {
    try (TestRing ring = TestRing.of(format, 16)) {
      ring.driver.send(new byte[] {1}, new byte[] {2, 3});
      ring.driver.send(new byte[] {4});
      ring.driver.postIndirect(ring.readable(5), ring.readable(6));
      byte[] before = everything(ring);
      for (int i = 0; i < 100; i++) {
        assertEquals(3, ring.peek());
        assertArrayEquals(new byte[] {1, 2, 3}, ring.bytes(0));
        assertEquals((int) ring.driver.base(), ring.queue.base());
        assertEquals(0, ring.queue.availableIndex());
        assertEquals(0, ring.queue.usedIndex());
      }
      assertArrayEquals(before, everything(ring));
    }
  }

  private static byte[] everything(TestRing ring) {
    byte[] bytes = new byte[(int) ring.host.bytes()];
    Memory.copyToArray(ring.host.address(), bytes, 0, bytes.length);
    return bytes;
  }

  @Test
  void goesOnBehindTheChainsAlreadyHeld() throws GuestFault {
    try (TestRing ring = TestRing.of(format, 16)) {
      for (int i = 0; i < 5; i++) {
        ring.driver.send(new byte[] {(byte) i});
      }
      ring.chains.clear();
      assertEquals(2, ring.queue.peek(ring.chains, 2));
      assertEquals(1, ring.queue.peek(ring.chains, 1));
      ring.driver.send(new byte[] {5});
      assertEquals(3, ring.queue.peek(ring.chains, 10));
      assertEquals(6, ring.chains.count());
      for (int i = 0; i < 6; i++) {
        assertArrayEquals(new byte[] {(byte) i}, ring.bytes(i));
      }
    }
  }

  @Test
  void showsTheRestAgainAfterSomeWereCompleted() throws GuestFault {
    try (TestRing ring = TestRing.of(format, 16)) {
      for (int i = 0; i < 5; i++) {
        ring.driver.send(new byte[] {(byte) i});
      }
      assertEquals(5, ring.peek());
      ring.finish(3);
      assertEquals(2, ring.peek());
      assertArrayEquals(new byte[] {3}, ring.bytes(0));
      assertArrayEquals(new byte[] {4}, ring.bytes(1));
    }
  }

  @Test
  void leavesNoSegmentForZeroLengthDescriptorsInAnyPosition() throws GuestFault {
    for (int mask = 0; mask < 16; mask++) {
      for (boolean indirect : new boolean[] {false, true}) {
        try (TestRing ring = TestRing.of(format, 16)) {
          Piece[] pieces = new Piece[4];
          for (int i = 0; i < 4; i++) {
            // The address of an empty buffer means nothing: it may be anything.
            pieces[i] = (mask & 1 << i) != 0 ? new Piece(-8L * i, 0, false) : ring.readable(10);
          }
          int head = indirect ? ring.driver.postIndirect(pieces) : ring.driver.post(pieces);
          assertEquals(1, ring.peek());
          assertEquals(head, ring.chains.head[0]);
          assertEquals(4 - Integer.bitCount(mask), ring.chains.segments(0));
          assertEquals(10L * (4 - Integer.bitCount(mask)), ring.chains.length[0]);
        }
      }
    }
  }

  @Test
  void sumsLengthsBeyondFourGibibytes() throws GuestFault {
    long gibibyte = 1L << 30;
    GuestMemory huge =
        GuestMemory.of(java.util.List.of(new GuestMemory.Region(0, 0, gibibyte, 1L << 40)));
    try (TestRing ring = TestRing.of(format, 16)) {
      Virtqueue queue = ring.takeOver((int) ring.driver.base(), huge);
      Piece[] pieces = new Piece[10];
      java.util.Arrays.fill(pieces, new Piece(0, gibibyte, false));
      ring.driver.post(pieces);
      assertEquals(1, queue.peek(ring.chains, 1));
      assertEquals(10 * gibibyte, ring.chains.length[0]);
    }
  }

  @Test
  void worksOnTheSmallestRing() throws GuestFault {
    try (TestRing ring = new TestRing(Options.of(format, 1))) {
      for (int i = 0; i < 10; i++) {
        ring.driver.send(new byte[] {(byte) i});
        assertEquals(1, ring.peek());
        assertArrayEquals(new byte[] {(byte) i}, ring.bytes(0));
        ring.finish(1);
        assertEquals(new Used(0, 0), ring.driver.takeUsed());
      }
    }
  }
}
