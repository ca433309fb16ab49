// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;

/**
 * A frame arrives whole however either driver cuts header and data (CVE-2022-2132's class; virtio
 * 1.3, 2.7.4.1: no assumption about the layout of descriptors).
 */
final class HeaderSplitTest {
  private static final int CANARY = 0xa5;

  enum Driver {
    LEGACY(0, 10),
    LEGACY_MERGEABLE(Guest.MRG_RXBUF, 12),
    MODERN(Guest.VERSION_1, 12),
    MODERN_MERGEABLE(Guest.VERSION_1 | Guest.MRG_RXBUF, 12),
    MODERN_ALL(Guest.VERSION_1 | Guest.MRG_RXBUF | Guest.EVENT_IDX | Guest.INDIRECT, 12);

    final long features;
    final int header;

    Driver(long features, int header) {
      this.features = features;
      this.header = header;
    }

    boolean mergeable() {
      return (features & Guest.MRG_RXBUF) != 0;
    }

    boolean indirect() {
      return (features & Guest.INDIRECT) != 0;
    }
  }

  private final Random random = new Random(42);

  /** The cut of {@code length} bytes that a bit mask says: bit k cuts after byte k + 1. */
  private static List<Integer> cut(int length, int mask) {
    List<Integer> pieces = new ArrayList<>();
    int start = 0;
    for (int at = 1; at < length; at++) {
      if ((mask >>> (at - 1) & 1) != 0) {
        pieces.add(at - start);
        start = at;
      }
    }
    pieces.add(length - start);
    return pieces;
  }

  /** Header pieces and then the rest, which may share a piece with the header's last bytes. */
  private List<Integer> layOut(int header, int mask, int rest) {
    List<Integer> pieces = new ArrayList<>(cut(header, mask));
    if (random.nextBoolean()) {
      pieces.set(pieces.size() - 1, pieces.getLast() + rest);
    } else {
      int first = random.nextInt(rest + 1);
      pieces.add(first);
      pieces.add(rest - first);
    }
    for (int zero = random.nextInt(3); zero > 0; zero--) {
      pieces.add(random.nextInt(pieces.size() + 1), 0);
    }
    return pieces;
  }

  private static int[] array(List<Integer> list) {
    return list.stream().mapToInt(Integer::intValue).toArray();
  }

  private void sendIn(Guest guest, byte[] frame, List<Integer> pieces, boolean indirect) {
    FakeDriver ring = guest.transmitRing(0);
    guest.reap(0);
    byte[] whole = new byte[guest.headerLength() + frame.length];
    System.arraycopy(frame, 0, whole, guest.headerLength(), frame.length);
    Piece[] parts = new Piece[pieces.size()];
    int at = 0;
    for (int i = 0; i < parts.length; i++) {
      byte[] part = Arrays.copyOfRange(whole, at, at + pieces.get(i));
      parts[i] = new Piece(ring.bufferWith(part), part.length, false);
      at += part.length;
    }
    int before = ring.availableIndex();
    if (indirect) {
      ring.postIndirect(parts);
    } else {
      ring.post(parts);
    }
    guest.kickIfNeeded(1, before);
  }

  @ParameterizedTest
  @EnumSource
  void aTransmittedFrameArrivesWholeForEverySplitOfItsHeader(Driver driver) throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(driver.features);
      Guest b = lan.guest(1).taking(driver.features);
      lan.start();
      a.up();
      b.up().buffers(200, 2048);
      int splits = 1 << (driver.header - 1);
      for (int mask = 0; mask < splits; mask++) {
        byte[] frame = frame(mac(2), mac(1), 14 + random.nextInt(200), mask);
        List<Integer> pieces = layOut(driver.header, mask, frame.length);
        sendIn(a, frame, pieces, driver.indirect() && random.nextBoolean());
        List<byte[]> got = new ArrayList<>();
        Lan.await("a frame cut " + pieces, () -> got.addAll(b.receive()) || !got.isEmpty());
        assertEquals(1, got.size());
        assertArrayEquals(frame, got.get(0), () -> "cut " + pieces);
      }
      assertEquals(splits, lan.queue("guest0", "tx0").frames());
      assertEquals(splits, lan.queue("guest1", "rx0").frames());
    }
  }

  @ParameterizedTest
  @EnumSource
  void aReceivedFrameIsWrittenWholeForEverySplitOfTheBuffersHeader(Driver driver) throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(driver.features);
      Guest b = lan.guest(1).taking(driver.features);
      lan.start();
      a.up();
      b.up();
      FakeDriver ring = b.receiveRing(0);
      for (int mask = 0; mask < 1 << (driver.header - 1); mask++) {
        byte[] frame = frame(mac(2), mac(1), 14 + random.nextInt(200), mask);
        int spare = random.nextInt(40);
        List<Integer> pieces = layOut(driver.header, mask, frame.length + spare);
        int head = ring.postReceive(array(pieces));
        a.send(frame);
        List<FakeDriver.Used> used = new ArrayList<>();
        Lan.await(
            "a buffer cut " + pieces,
            () -> {
              FakeDriver.Used next = ring.takeUsed();
              return next != null && used.add(next);
            });
        assertEquals(head, used.get(0).head());
        assertEquals(driver.header + frame.length, used.get(0).length(), "used.len is exact");
        byte[] whole = ring.contents(head, driver.header + frame.length + spare);
        byte[] expected = new byte[whole.length];
        Arrays.fill(expected, (byte) CANARY);
        Arrays.fill(expected, 0, driver.header, (byte) 0);
        if (driver.header == 12) {
          expected[10] = 1; // num_buffers, also without mergeable buffers (5.1.6.4.1)
        }
        System.arraycopy(frame, 0, expected, driver.header, frame.length);
        assertArrayEquals(expected, whole, () -> "cut " + pieces);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"LEGACY_MERGEABLE", "MODERN_MERGEABLE", "MODERN_ALL"})
  void buffersShorterThanTheHeaderAreFilledOneAfterTheOther(Driver driver) throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(driver.features);
      Guest b = lan.guest(1).taking(driver.features);
      lan.start();
      a.up();
      b.up();
      FakeDriver ring = b.receiveRing(0);
      for (int round = 0; round < 500; round++) {
        byte[] frame = frame(mac(2), mac(1), 14 + random.nextInt(100), round);
        int needed = 12 + frame.length;
        int buffers = 0;
        for (int room = 0; room < needed; buffers++) {
          int length = random.nextInt(14);
          ring.postReceive(length);
          room += length;
        }
        int posted = buffers;
        a.send(frame);
        Lan.await(
            "all its buffers", () -> ((ring.usedIndex() - ring.availableIndex()) & 0xffff) == 0);
        byte[] got = new byte[needed];
        int at = 0;
        for (int i = 0; i < posted; i++) {
          FakeDriver.Used used = requireNonNull(ring.takeUsed());
          byte[] part = ring.contents(used.head(), (int) used.length());
          System.arraycopy(part, 0, got, at, part.length);
          at += part.length;
        }
        assertEquals(needed, at, "the used lengths add up");
        assertEquals(posted, (got[10] & 0xff) | (got[11] & 0xff) << 8, "num_buffers");
        assertArrayEquals(frame, Arrays.copyOfRange(got, 12, needed));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"LEGACY", "MODERN"})
  void withoutMergeableBuffersAFrameLargerThanItsBufferIsDroppedAndTheBufferStays(Driver driver)
      throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1).taking(driver.features);
      Guest b = lan.guest(1).taking(driver.features);
      lan.start();
      a.up();
      b.up();
      FakeDriver ring = b.receiveRing(0);
      int head = ring.postReceive(driver.header, 60);
      ring.postReceive(0);
      ring.postReceive(driver.header - 1);
      a.send(frame(mac(2), mac(1), 61, 1));
      a.send(frame(mac(2), mac(1), 60, 2));
      a.send(frame(mac(2), mac(1), 14, 3));
      Lan.await("three frames", () -> lan.queue("guest0", "tx0").frames() == 3);
      assertEquals(2, lan.drops("guest1", "rx0", DropReason.BUFFER_TOO_SMALL));
      FakeDriver.Used used = requireNonNull(ring.takeUsed());
      assertEquals(head, used.head());
      assertEquals(driver.header + 60, used.length());
    }
  }
}
