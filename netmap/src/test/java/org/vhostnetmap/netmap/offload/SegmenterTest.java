// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/** Big packets cut into small ones, read back by a reader of the test's own. */
final class SegmenterTest {
  private static final int MAX = 1514;
  private static final long OUT = 1 << 17;

  private final Random random = new Random(4);
  private final Segmenter segmenter = new Segmenter();
  private final VnetHeader header = new VnetHeader();
  private final Pieces pieces = new Pieces(2);
  private Mapping memory;

  @BeforeEach
  void map() throws ErrnoException {
    memory = Mapping.anonymous(OUT + 4096);
  }

  @AfterEach
  void unmap() {
    memory.close();
  }

  static Stream<Packets.Kind> kinds() {
    List<Packets.Kind> all = new ArrayList<>();
    for (int tags = 0; tags <= 2; tags++) {
      for (int options : new int[] {0, 8, 40}) {
        for (boolean ipv6 : new boolean[] {false, true}) {
          all.add(new Packets.Kind(ipv6, true, tags, options, 12));
          all.add(new Packets.Kind(ipv6, false, tags, options, 0));
        }
      }
    }
    return all.stream();
  }

  /** Lends a frame in pieces of random lengths, the first of them {@code first} bytes long. */
  private void lend(byte[] frame, int first) {
    pieces.clear();
    Memory.copyFromArray(frame, 0, memory.address(), frame.length);
    int at = Math.min(first, frame.length);
    pieces.add(memory.address(), at);
    while (at < frame.length) {
      int length = Math.min(frame.length - at, 1 + random.nextInt(2048));
      pieces.add(memory.address() + at, length);
      at += length;
    }
  }

  private void ask(Packets.Kind kind, int gsoSize) {
    header.set(VnetHeader.NEEDS_CSUM, kind.gsoType(), gsoSize, kind.transport(), kind.csumOffset());
  }

  private List<byte[]> cut(byte[] frame) {
    assertNull(header.check(frame.length));
    assertNull(segmenter.begin(pieces, frame.length, header, MAX));
    List<byte[]> out = new ArrayList<>();
    for (int i = 0; i < segmenter.segments(); i++) {
      Memory.fill(memory.address() + OUT, 2048, 0x5a);
      int length = segmenter.next(memory.address() + OUT);
      assertTrue(length <= segmenter.longest());
      assertEquals(0x5a, Memory.getUnsignedByte(memory.address() + OUT + length), "wrote on");
      byte[] segment = new byte[length];
      Memory.copyToArray(memory.address() + OUT, segment, 0, length);
      out.add(segment);
    }
    return out;
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void allSegmentsAreRightAndCarryTheDataInOrder(Packets.Kind kind) {
    byte[] frame = Packets.build(kind, 60_000, random);
    lend(frame, 300);
    ask(kind, 1200);
    List<byte[]> segments = cut(frame);
    assertEquals(50, segments.size());
    ByteBuffer data = ByteBuffer.allocate(60_000);
    for (int i = 0; i < segments.size(); i++) {
      byte[] segment = segments.get(i);
      Packets.verify(segment, kind);
      if (!kind.ipv6()) {
        int id = ByteBuffer.wrap(segment).getShort(kind.ip() + 4) & 0xffff;
        assertEquals(0xfffe + i & 0xffff, id);
      }
      if (kind.tcp()) {
        int sequence = ByteBuffer.wrap(segment).getInt(kind.transport() + 4);
        assertEquals(0xfffffff0 + 1200 * i, sequence);
      }
      data.put(segment, kind.headers(), segment.length - kind.headers());
    }
    assertArrayEquals(Arrays.copyOfRange(frame, kind.headers(), frame.length), data.array());
  }

  @Test
  void theLastSegmentIsShortAndAloneHasFinAndPushTheFirstAloneHasCwr() {
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    byte[] frame = Packets.build(kind, 2501, random);
    lend(frame, 100);
    ask(kind, 1000);
    List<byte[]> segments = cut(frame);
    assertEquals(List.of(1054, 1054, 555), segments.stream().map(s -> s.length).toList());
    int flags = kind.transport() + 13;
    assertEquals(0xf0, segments.get(0)[flags] & 0xff);
    assertEquals(0x70, segments.get(1)[flags] & 0xff);
    assertEquals(0x79, segments.get(2)[flags] & 0xff);
  }

  @Test
  void noSegmentIsLongerThanTheLinkTakes() {
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    byte[] frame = Packets.build(kind, 9000, random);
    lend(frame, 100);
    ask(kind, 8948);
    for (byte[] segment : cut(frame)) {
      assertTrue(segment.length <= MAX);
      Packets.verify(segment, kind);
    }
    assertEquals(7, segmenter.segments());
  }

  @Test
  void framesBehindTheirVirtioHeaderAreCutFromTheEthernetHeaderOn() {
    Packets.Kind kind = new Packets.Kind(true, true, 1, 0, 0);
    byte[] packet = Packets.build(kind, 3000, random);
    byte[] frame = new byte[12 + packet.length];
    System.arraycopy(packet, 0, frame, 12, packet.length);
    lend(frame, 12);
    ask(kind, 1000);
    pieces.skip(12);
    assertNull(segmenter.begin(pieces, packet.length, header, MAX));
    assertEquals(3, segmenter.segments());
    int length = segmenter.next(memory.address() + OUT);
    byte[] first = new byte[length];
    Memory.copyToArray(memory.address() + OUT, first, 0, length);
    Packets.verify(first, kind);
  }

  @Test
  void headersThatAreCutShortAnywhereAreRefused() {
    kinds()
        .forEach(
            kind -> {
              byte[] whole = Packets.build(kind, 100, random);
              ask(kind, 10);
              for (int length = 0; length <= kind.headers(); length++) {
                byte[] frame = Arrays.copyOf(whole, length);
                lend(frame, 20);
                assertNotNull(segmenter.begin(pieces, length, header, MAX), kind + " " + length);
                assertEquals(0, segmenter.segments());
              }
            });
  }

  @Test
  void aTypeThatContradictsThePacketIsRefused() {
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    byte[] frame = Packets.build(kind, 100, random);
    for (int type : new int[] {VnetHeader.GSO_TCPV6, VnetHeader.GSO_UDP, VnetHeader.GSO_UDP_L4}) {
      lend(frame, 20);
      header.set(VnetHeader.NEEDS_CSUM, type, 100, kind.transport(), kind.csumOffset());
      assertEquals(OffloadFault.GSO_HEADERS, segmenter.begin(pieces, frame.length, header, MAX));
    }
  }

  @Test
  void aFragmentIsRefused() {
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    byte[] frame = Packets.build(kind, 100, random);
    frame[kind.ip() + 6] = 0x20;
    lend(frame, 20);
    ask(kind, 10);
    assertEquals(OffloadFault.GSO_HEADERS, segmenter.begin(pieces, frame.length, header, MAX));
  }

  /** T-offload: every corner of every field, on frames of every length that matters. */
  @Test
  void noHeaderHoweverOddWritesOutsideASegmentOrThrows() {
    int[] words = {0, 1, 13, 14, 33, 34, 54, 100, 0x7fff, 0x8000, 0xffff};
    Packets.Kind kind = new Packets.Kind(false, true, 0, 0, 0);
    for (int length : new int[] {0, 1, 13, 14, 34, 54, 55, 60, 1514, 9000}) {
      byte[] frame = Arrays.copyOf(Packets.build(kind, 9000, random), length);
      for (int flags : new int[] {0, 1, 2, 3, 0xff}) {
        for (int type : new int[] {0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x83, 0x85, 0xff}) {
          for (int size : words) {
            for (int start : words) {
              header.set(flags, type, size, start, words[random.nextInt(words.length)]);
              tryOut(frame);
            }
          }
        }
      }
    }
  }

  private void tryOut(byte[] frame) {
    if (header.check(frame.length) != null) {
      return;
    }
    lend(frame, 64);
    if (header.segments()) {
      if (segmenter.begin(pieces, frame.length, header, MAX) == null) {
        int total = 0;
        for (int i = 0; i < segmenter.segments(); i++) {
          int length = segmenter.next(memory.address() + OUT);
          assertTrue(length <= MAX);
          total += length;
        }
        assertTrue(total >= frame.length);
      }
    } else if (header.needsChecksum()) {
      assertTrue(header.csumStart() >= 14 && header.csumField() + 2 <= frame.length);
      pieces.complete(header);
      int summed = pieces.sum(header.csumStart());
      assertTrue(summed >= 0 && summed <= 0xffff);
    }
  }

  @Test
  void randomHeadersNeverMakeItReadBeyondTheFrame() {
    for (int round = 0; round < 200_000; round++) {
      byte[] frame = new byte[14 + random.nextInt(400)];
      random.nextBytes(frame);
      // Near enough to a packet that the parser goes deep.
      frame[12] = (byte) (round % 2 == 0 ? 0x08 : 0x86);
      frame[13] = (byte) (round % 2 == 0 ? 0x00 : 0xdd);
      if (frame.length > 30) {
        frame[14] = (byte) (round % 2 == 0 ? 0x45 + random.nextInt(11) : 0x60);
        frame[20] = (byte) (round % 2 == 0 ? 0 : new int[] {0, 6, 17, 43, 60}[random.nextInt(5)]);
        frame[21] = 0;
        frame[23] = (byte) (random.nextBoolean() ? 6 : 17);
      }
      int[] types = {1, 3, 4, 5, 0x81, 0x84};
      header.set(1, types[random.nextInt(6)], 1 + random.nextInt(300), 34, 6);
      tryOut(frame);
    }
  }
}
