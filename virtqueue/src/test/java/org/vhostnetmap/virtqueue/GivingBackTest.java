// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** What the driver gets back, in either format (virtio 1.3, 2.7.8, 2.7.9, 2.8.2 and 2.8.8). */
@ParameterizedClass
@EnumSource(RingFormat.class)
class GivingBackTest {
  private final RingFormat format;

  GivingBackTest(RingFormat format) {
    this.format = format;
  }

  @Test
  void tellsTheDriverHowMuchWasWritten() throws GuestFault {
    try (TestRing ring = new TestRing(Options.of(format, 8).direction(Direction.WRITABLE))) {
      int first = ring.driver.postReceive(100, 100);
      int second = ring.driver.postReceive(1500);
      assertEquals(2, ring.peek());
      assertEquals(200, ring.chains.length[0]);
      ring.chains.written[0] = 112;
      ring.chains.written[1] = 1500;
      ring.queue.complete(ring.chains, 2);
      assertNull(ring.driver.takeUsed());
      ring.queue.publish();
      assertEquals(new Used(first, 112), ring.driver.takeUsed());
      assertEquals(new Used(second, 1500), ring.driver.takeUsed());
      assertNull(ring.driver.takeUsed());
    }
  }

  @Test
  void isOurPlaceToGoOnAfterARestart() throws GuestFault {
    try (TestRing ring = TestRing.of(format, 8)) {
      ring.driver.send(new byte[] {1});
      int second = ring.driver.send(new byte[] {2});
      ring.peek();
      ring.finish(1);
      ring.driver.takeUsed();
      Virtqueue next = ring.takeOver(ring.queue.base());
      assertEquals(ring.queue.base(), next.base());
      assertEquals(1, next.usedIndex());
      ring.chains.clear();
      assertEquals(1, next.peek(ring.chains, 8));
      assertEquals(second, ring.chains.head[0]);
      next.complete(ring.chains, 1);
      next.publish();
      assertEquals(new Used(second, 0), ring.driver.takeUsed());
    }
  }

  /** Chains of one to four descriptors, some in tables, in bursts of any length, for many laps. */
  @ParameterizedTest
  @CsvSource({
    "1, false",
    "2, false",
    "3, true",
    "7, false",
    "7, true",
    "16, true",
    "255, false",
    "300, true",
    "300, false",
    "32768, false",
    "32768, true"
  })
  void keepsOrderAndContentsForManyLaps(int entries, boolean inOrder) throws GuestFault {
    int size = format == RingFormat.PACKED ? entries : Integer.highestOneBit(entries);
    Random random = new Random(entries);
    int start = format == RingFormat.PACKED ? 3 * size - 1 : 0xfff0;
    try (TestRing ring =
        new TestRing(Options.of(format, size).withInOrder(inOrder).startingAt(start), 4 << 20)) {
      int sent = 0;
      int received = 0;
      while (received < 40_000) {
        while (ring.driver.freeDescriptors() > 0 && sent - received < 700) {
          send(ring, random, sent++);
          if (random.nextInt(8) == 0) {
            break;
          }
        }
        ring.chains.clear();
        int count = ring.queue.peek(ring.chains, 1 + random.nextInt(Chains.CHAINS));
        assertTrue(count > 0, "chains are there");
        for (int i = 0; i < count; i++) {
          byte[] bytes = ring.bytes(i);
          assertEquals((received + i) & 0xffff, (bytes[0] & 0xff) | (bytes[1] & 0xff) << 8);
        }
        int given = random.nextInt(3) == 0 ? 1 + random.nextInt(count) : count;
        int half = random.nextInt(given + 1);
        int[] heads = Arrays.copyOf(ring.chains.head, given);
        ring.queue.complete(ring.chains, half);
        completeRest(ring, half, given);
        assertNull(ring.driver.takeUsed(), "not before publish");
        ring.queue.publish();
        for (int head : heads) {
          assertEquals(new Used(head, 0), ring.driver.takeUsed());
        }
        assertNull(ring.driver.takeUsed());
        received += given;
        assertEquals((int) ring.driver.base(), ring.queue.base());
      }
    }
  }

  /** The second half of a burst that was completed in two steps. */
  private static void completeRest(TestRing ring, int done, int given) throws GuestFault {
    ring.chains.clear();
    if (given > done) {
      assertEquals(given - done, ring.queue.peek(ring.chains, given - done));
      ring.queue.complete(ring.chains, given - done);
    }
  }

  private static void send(TestRing ring, Random random, int number) {
    byte[] first = {(byte) number};
    byte[] second = {(byte) (number >> 8)};
    int room = ring.driver.freeDescriptors();
    switch (random.nextInt(5)) {
      case 0 -> ring.driver.send(new byte[] {first[0], second[0]});
      case 1 -> ring.driver.postIndirect(piece(ring, first), piece(ring, second));
      default -> {
        byte[][] parts = new byte[Math.min(room, 2 + random.nextInt(3))][];
        for (int i = 0; i < parts.length; i++) {
          parts[i] = i == 0 ? first : i == 1 ? second : new byte[] {9};
        }
        if (parts.length == 1) {
          parts[0] = new byte[] {first[0], second[0]};
        }
        ring.driver.send(parts);
      }
    }
  }

  private static Piece piece(TestRing ring, byte[] bytes) {
    return new Piece(ring.driver.bufferWith(bytes), bytes.length, false);
  }

  @Test
  void receiveBuffersHaveTheirOwnLengthsInOrderToo() throws GuestFault {
    try (TestRing ring =
        new TestRing(Options.of(format, 8).direction(Direction.WRITABLE).withInOrder(true))) {
      int[] heads = {
        ring.driver.postReceive(100), ring.driver.postReceive(60, 60), ring.driver.postReceive(100)
      };
      assertEquals(3, ring.peek());
      for (int i = 0; i < 3; i++) {
        ring.chains.written[i] = 71 + i;
      }
      ring.queue.complete(ring.chains, 3);
      ring.queue.publish();
      for (int i = 0; i < 3; i++) {
        assertEquals(new Used(heads[i], 71 + i), ring.driver.takeUsed());
      }
    }
  }
}
