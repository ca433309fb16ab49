// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/** Sums against RFC 1071 done word by word. */
final class InternetChecksumTest {
  private Mapping memory;
  private final byte[] bytes = new byte[70000];

  @BeforeEach
  void fill() throws ErrnoException {
    memory = Mapping.anonymous(bytes.length);
    new Random(1).nextBytes(bytes);
    Memory.copyFromArray(bytes, 0, memory.address(), bytes.length);
  }

  @AfterEach
  void unmap() {
    memory.close();
  }

  private int naive(int from, int to) {
    return Packets.naiveSum(Arrays.copyOfRange(bytes, from, to), 0);
  }

  @Test
  void sumsEveryLengthFromEveryAlignmentAsTheRfcDoes() {
    for (int start = 0; start < 9; start++) {
      for (int length = 0; length < 130; length++) {
        int sum = InternetChecksum.sum(memory.address() + start, length);
        assertEquals(naive(start, start + length), InternetChecksum.swapped(sum));
      }
    }
    int whole = InternetChecksum.sum(memory.address(), bytes.length);
    assertEquals(naive(0, bytes.length), InternetChecksum.swapped(whole));
  }

  @Test
  void neverOverflowsWhenAllBitsAreSet() {
    Memory.fill(memory.address(), bytes.length, 0xff);
    assertEquals(0xffff, InternetChecksum.sum(memory.address(), bytes.length));
    assertEquals(0xffff, InternetChecksum.fold(-1L));
    assertEquals(0xffff, InternetChecksum.add(0xffff, 0xffff));
  }

  @Test
  void theRfcsOwnExampleComesOut() {
    byte[] example = {0, 1, (byte) 0xf2, 3, (byte) 0xf4, (byte) 0xf5, (byte) 0xf6, (byte) 0xf7};
    Memory.copyFromArray(example, 0, memory.address(), 8);
    int sum = InternetChecksum.sum(memory.address(), 8);
    assertEquals(0xddf2, InternetChecksum.swapped(sum));
    assertEquals(0x220d, InternetChecksum.swapped(InternetChecksum.complement(sum)));
  }

  @Test
  void aUdpChecksumIsNeverZeroAndOthersMayBe() {
    assertEquals(0xffff, InternetChecksum.forUdp(0xffff));
    assertEquals(0, InternetChecksum.complement(0xffff));
  }

  @Test
  void piecesOfAnyLengthSumToTheWholeFromAnyByteOn() {
    Random random = new Random(2);
    Pieces pieces = new Pieces(1);
    for (int round = 0; round < 500; round++) {
      pieces.clear();
      int total = 0;
      for (int piece = 0; piece < 1 + random.nextInt(6); piece++) {
        int length = random.nextInt(9);
        pieces.add(memory.address() + total, length);
        total += length;
      }
      assertEquals(total, pieces.total());
      int from = total == 0 ? 0 : random.nextInt(total);
      assertEquals(naive(from, total), InternetChecksum.swapped(pieces.sum(from)));
    }
  }

  @Test
  void aChecksumFieldAcrossTwoPiecesIsCompleted() {
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    byte[] packet = Packets.build(kind, 333, new Random(3));
    int field = kind.transport() + kind.csumOffset();
    Pieces pieces = new Pieces(4);
    // The second part stands elsewhere, so that a store across the border would be seen.
    Memory.copyFromArray(packet, 0, memory.address(), field + 1);
    Memory.copyFromArray(packet, field + 1, memory.address() + 4096, packet.length - field - 1);
    pieces.add(memory.address(), field + 1);
    pieces.add(memory.address() + 4096, packet.length - field - 1);
    VnetHeader header = new VnetHeader();
    header.set(VnetHeader.NEEDS_CSUM, 0, 0, kind.transport(), kind.csumOffset());
    pieces.complete(header);
    byte[] done = new byte[packet.length];
    pieces.copy(done, done.length);
    assertEquals(0xffff, Packets.transportSum(done, kind));
  }
}
