// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;

/** Frames of every size that a guest can think of: delivered whole, or counted under its reason. */
final class FrameSizesTest {
  private static final int LONGEST = 65535 + 18;

  private static List<byte[]> awaitFrames(Guest guest, int count, int bufferLength) {
    List<byte[]> got = new ArrayList<>();
    Lan.await(
        count + " frames",
        () -> {
          got.addAll(guest.receive(0, bufferLength));
          return got.size() >= count;
        });
    assertEquals(count, got.size());
    return got;
  }

  private static void sendInPieces(Guest guest, byte[] frame) {
    FakeDriver ring = guest.transmitRing(0);
    guest.reap(0);
    Piece[] pieces = new Piece[1 + (frame.length + 4095) / 4096];
    pieces[0] =
        new Piece(ring.bufferWith(new byte[guest.headerLength()]), guest.headerLength(), false);
    for (int i = 1; i < pieces.length; i++) {
      byte[] part =
          java.util.Arrays.copyOfRange(frame, 4096 * (i - 1), Math.min(frame.length, 4096 * i));
      pieces[i] = new Piece(ring.bufferWith(part), part.length, false);
    }
    int before = ring.availableIndex();
    ring.post(pieces);
    guest.kickIfNeeded(1, before);
  }

  @ParameterizedTest
  @ValueSource(ints = {14, 59, 60, 61, 1514, 1518, 2036, 2037, 9018, 65535, 65536, LONGEST})
  void arriveWholeInMergeableBuffersAsSmallAsTheyMayBe(int length) throws Exception {
    for (int bufferLength : new int[] {300, 1536, 2048, 65536 + 64}) {
      try (Lan lan = new Lan()) {
        Guest a = lan.guest(1);
        Guest b = lan.guest(1);
        lan.start();
        a.up();
        b.up().buffers(bufferLength > 65536 ? 8 : 256, bufferLength);
        byte[] frame = frame(mac(2), mac(1), length, length);
        for (int round = 0; round < 3; round++) {
          sendInPieces(a, frame);
          assertArrayEquals(frame, awaitFrames(b, 1, bufferLength).get(0));
        }
        assertEquals(3L * length, lan.queue("guest1", "rx0").bytes());
        assertEquals(3L * length, lan.queue("guest0", "tx0").bytes());
      }
    }
  }

  @Test
  void tooShortAndTooLongOnesAreCountedUnderTheirReasonsAndGoBackToTheDriver() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      b.up().buffers(200, 2048);
      FakeDriver ring = a.transmitRing(0);
      long buffer = ring.buffer(65536);
      for (int length : new int[] {0, 1, 11, 12, 13, 25}) {
        ring.post(new Piece(buffer, length, false));
      }
      a.frontend.kick(1);
      Lan.await("six chains back", () -> ring.usedIndex() == 6);
      assertEquals(6, a.reap(0));
      assertEquals(6, lan.drops("guest0", "tx0", DropReason.TOO_SHORT));

      postLong(ring, buffer, 12 + LONGEST + 1);
      postIndirectly(ring, buffer, 16 << 20);
      postLong(ring, buffer, 12 + 14);
      a.frontend.kick(1);
      Lan.await("three chains back", () -> ring.usedIndex() == 9);
      assertEquals(3, a.reap(0));
      assertEquals(2, lan.drops("guest0", "tx0", DropReason.TOO_LONG));
      assertEquals(14, awaitFrames(b, 1, 2048).get(0).length);
      assertEquals(9, lan.queue("guest0", "tx0").frames());
    }
  }

  /** A chain of as many bytes, made of the same 64 KiB again and again. */
  private static void postLong(FakeDriver ring, long buffer, int length) {
    ring.post(pieces(buffer, length));
  }

  private static void postIndirectly(FakeDriver ring, long buffer, int length) {
    ring.postIndirect(pieces(buffer, length));
  }

  private static Piece[] pieces(long buffer, int length) {
    List<Piece> pieces = new ArrayList<>();
    for (int left = length; left > 0; left -= 65536) {
      pieces.add(new Piece(buffer, Math.min(left, 65536), false));
    }
    return pieces.toArray(Piece[]::new);
  }

  @Test
  void aJumboThatNotEvenAllBuffersOfAnEmptyRingHoldIsCountedAndTheNextFrameArrives()
      throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      b.up().buffers(256, 64);
      sendInPieces(a, frame(mac(2), mac(1), 20_000, 1));
      a.send(frame(mac(2), mac(1), 60, 2));
      assertEquals(2, Frames.number(awaitFrames(b, 1, 64).get(0)));
      assertEquals(1, lan.drops("guest1", "rx0", DropReason.BUFFER_TOO_SMALL));
    }
  }

  @Test
  void aJumboWaitsForEnoughBuffersAndTakesNoneUntilThen() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest b = lan.guest(1);
      lan.start();
      a.up();
      b.up().buffers(3, 1536);
      sendInPieces(a, frame(mac(2), mac(1), 9018, 1));
      Lan.await("patience is over", () -> lan.drops("guest1", "rx0", DropReason.NO_BUFFERS) == 1);
      assertEquals(0, b.receiveRing(0).usedIndex());
      b.buffers(3, 1536);
      sendInPieces(a, frame(mac(2), mac(1), 9018, 2));
      byte[] got = awaitFrames(b, 1, 1536).get(0);
      assertEquals(2, Frames.number(got));
      assertEquals(6, b.receiveRing(0).usedIndex());
    }
  }

  @Test
  void theyAllReachNullAndPktgenPortsToo() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(new NullPort("null:")).add(new PktgenPort("pktgen:", 60, 1, 1)).start();
      a.up();
      for (int length : new int[] {14, 60, 2048, 2049, 9018, LONGEST}) {
        sendInPieces(a, frame(mac(2), mac(1), length, length));
      }
      Lan.await("six frames", () -> lan.queue("null:", "out").frames() >= 6);
      BridgeStatus status = lan.status();
      assertEquals(0, status.dropped(), status::toString);
      assertTrue(lan.queue("pktgen:", "out").frames() >= 6);
    }
  }
}
