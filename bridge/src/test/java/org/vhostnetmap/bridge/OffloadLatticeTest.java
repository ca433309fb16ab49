// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * T-offload (CVE-2024-11614 and its kin): every corner of every field of the virtio-net header, on
 * frames that end anywhere in their headers and whose segments are cut anywhere, against a model
 * that knows the packet because the test has built it.
 */
final class OffloadLatticeTest {
  private static final long OUT = 1 << 18;
  private static final int CANARY = 0x5a;

  private final Random random = new Random(77);
  private final Burst burst = new Burst();
  private final SoftwareOffload software = new SoftwareOffload();
  private Mapping memory;

  @BeforeEach
  void map() throws Exception {
    memory = Mapping.anonymous(OUT + (1 << 17));
  }

  @AfterEach
  void unmap() {
    memory.close();
  }

  static List<Packet> packets() {
    List<Packet> some = new ArrayList<>(Packet.kinds(300).subList(0, 12));
    some.addAll(Packet.kinds(300).subList(24, 28));
    return some;
  }

  /** The fields of one header, and what the packet under it is. */
  private record Asked(int flags, int type, int gsoSize, int csumStart, int csumOffset) {
    boolean anything() {
      return (flags & 1) != 0 || type != 0;
    }

    /** virtio 1.3, 5.1.6.2, word by word, for a frame cut to {@code length} bytes. */
    boolean possible(Packet packet, int length, int allowed) {
      int field = csumStart + csumOffset;
      if ((flags & 1) == 0 || csumStart < 14 || field + 2 > length) {
        return false;
      }
      if (type == 0) {
        return true;
      }
      boolean ecn = (type & 0x80) != 0;
      int needed =
          switch (type) {
            case 1, 0x81 -> packet.tcp() && !packet.ipv6() ? Offload.TSO4 : 0;
            case 4, 0x84 -> packet.tcp() && packet.ipv6() ? Offload.TSO6 : 0;
            case 5 -> packet.tcp() ? 0 : packet.ipv6() ? Offload.USO6 : Offload.USO4;
            default -> 0;
          };
      return needed != 0
          && (allowed & needed) != 0
          && (!ecn || (allowed & Offload.ECN) != 0)
          && gsoSize > 0
          && csumStart == packet.transport()
          && csumOffset == packet.checksumOffset()
          && length > packet.headers();
    }
  }

  /** Lends a frame in pieces cut anywhere. */
  private void lend(byte[] frame) {
    burst.clear();
    int segments = 0;
    for (int at = 0; at < frame.length; segments++) {
      int part = Math.min(frame.length - at, 1 + random.nextInt(1 + random.nextInt(200)));
      long place = memory.address() + 2L * at + segments; // no two pieces touch
      Memory.copyFromArray(frame, at, place, part);
      burst.table.segmentAddress[segments] = place;
      burst.table.segmentLength[segments] = part;
      at += part;
    }
    burst.set(0, 0, segments, frame.length);
    burst.count = 1;
  }

  private List<byte[]> written(int longest) {
    List<byte[]> out = new ArrayList<>();
    assertNull(software.begin(burst, 0, longest));
    for (int n = software.frames(); n > 0; n--) {
      int length = software.nextLength();
      Memory.fill(memory.address() + OUT, length + 8, CANARY);
      assertEquals(length, software.next(memory.address() + OUT));
      assertEquals(CANARY, Memory.getUnsignedByte(memory.address() + OUT + length), "wrote on");
      byte[] frame = new byte[length];
      Memory.copyToArray(memory.address() + OUT, frame, 0, length);
      out.add(frame);
    }
    return out;
  }

  private void tryOut(OffloadCapture capture, int allowed, Packet packet, byte[] frame, Asked a) {
    lend(frame);
    int lie = random.nextInt(0x10000);
    long header =
        a.flags
            | a.type << 8
            | (long) lie << 16
            | (long) a.gsoSize << 32
            | (long) a.csumStart << 48;
    if (!a.anything()) {
      assertEquals(0, header & Offload.ASKS);
      return;
    }
    capture.take(burst, 0, header, a.csumOffset);
    boolean possible = a.possible(packet, frame.length, allowed);
    assertEquals(possible, burst.valid == 1, () -> a + " on " + frame.length + " of " + packet);
    assertEquals(possible, burst.offloads == 1);
    if (!possible) {
      assertEquals(DropReason.BAD_OFFLOAD, burst.reason[0]);
      return;
    }
    List<byte[]> out = written(1 << 16);
    if (a.type == 0) {
      byte[] expected = frame.clone();
      int field = a.csumStart + a.csumOffset;
      int sum = ~Packet.sum(frame, a.csumStart, frame.length, 0) & 0xffff;
      sum = sum == 0 && a.csumOffset == 6 ? 0xffff : sum; // as UDP wants it
      expected[field] = (byte) (sum >>> 8);
      expected[field + 1] = (byte) sum;
      assertEquals(1, out.size());
      assertArrayEquals(expected, out.getFirst());
    } else {
      Packet cut = packet.withData(Arrays.copyOfRange(frame, packet.headers(), frame.length));
      cut.verifySegments(out, a.gsoSize);
    }
  }

  @ParameterizedTest
  @MethodSource("packets")
  void everyFieldIsValidatedAgainstWhereverTheFrameEnds(Packet packet) {
    byte[] whole = packet.frame(Frames.mac(2), Frames.mac(1));
    int[] lengths = {
      14,
      15,
      18,
      packet.ip(),
      packet.ip() + 1,
      packet.ip() + 19,
      packet.ip() + 20,
      packet.ip() + 39,
      packet.ip() + 40,
      packet.transport() - 1,
      packet.transport(),
      packet.transport() + 7,
      packet.transport() + 8,
      packet.transport() + 19,
      packet.transport() + 20,
      packet.headers() - 1,
      packet.headers(),
      packet.headers() + 1,
      packet.headers() + 100,
      whole.length
    };
    for (int allowed : new int[] {Offload.ALL, Offload.CSUM, Offload.CSUM | Offload.TSO4}) {
      OffloadCapture capture = new OffloadCapture(allowed);
      for (int length : lengths) {
        byte[] frame = Arrays.copyOf(whole, length);
        int[] starts = {
          0,
          13,
          14,
          packet.ip(),
          packet.transport() - 1,
          packet.transport(),
          packet.transport() + 1,
          length - 2,
          length - 1,
          length,
          0x7fff,
          0x8000,
          0xffff
        };
        for (int flags : new int[] {0, 1, 3, 0xfe}) {
          for (int type : new int[] {0, 1, 2, 3, 4, 5, 6, 0x80, 0x81, 0x83, 0x84, 0x85, 0xff}) {
            for (int start : starts) {
              for (int offset : new int[] {0, packet.checksumOffset(), 0xfffe, 0xffff}) {
                int gsoSize = new int[] {0, 1, 77, 0x8000, 0xffff}[random.nextInt(5)];
                tryOut(
                    capture,
                    allowed,
                    packet,
                    frame,
                    new Asked(flags, type, gsoSize, start, offset));
              }
            }
          }
        }
        for (int gsoSize : new int[] {0, 1, 77, 299, 300, 301, 0x7fff, 0x8000, 0xffff}) {
          for (int type : new int[] {1, 4, 5, 0x81, 0x84}) {
            int start = packet.transport();
            tryOut(
                capture,
                allowed,
                packet,
                frame,
                new Asked(1, type, gsoSize, start, packet.checksumOffset()));
          }
        }
      }
    }
  }

  /** A round of one guest ends sooner for what it leaves to us; more than enough is refused. */
  @Test
  void aFrameOfVeryManySegmentsCostsItsGuestNotTheOthers() {
    OffloadCapture capture = new OffloadCapture(Offload.ALL);
    Packet packet = Packet.tcp4(10 * OffloadCapture.MOST_SEGMENTS + 1);
    byte[] frame = packet.frame(Frames.mac(2), Frames.mac(1));
    for (int gsoSize : new int[] {10, 11}) {
      lend(frame);
      long header = 0x101L | (long) gsoSize << 32 | (long) packet.transport() << 48;
      long cost = capture.take(burst, 0, header, packet.checksumOffset());
      assertEquals(gsoSize == 11, burst.valid == 1);
      assertEquals(gsoSize == 11, cost > Burst.BYTES);
    }
  }

  /** The packet's own fields may lie as well: nothing they say leads beyond the frame. */
  @Test
  void noPacketHoweverScrambledLeadsBeyondTheFrame() {
    OffloadCapture capture = new OffloadCapture(Offload.ALL);
    List<Packet> kinds = packets();
    int cut = 0;
    for (int round = 0; round < 200_000; round++) {
      Packet packet = kinds.get(random.nextInt(kinds.size()));
      byte[] frame = packet.frame(Frames.mac(2), Frames.mac(1));
      for (int flips = random.nextInt(4); flips > 0; flips--) {
        frame[12 + random.nextInt(packet.headers() - 12)] = (byte) random.nextInt(256);
      }
      lend(frame);
      long header =
          1L
              | (long) (packet.gsoType() | (packet.tcp() && random.nextBoolean() ? 0x80 : 0)) << 8
              | (long) (1 + random.nextInt(400)) << 32
              | (long) packet.transport() << 48;
      capture.take(burst, 0, header, packet.checksumOffset());
      if (burst.valid != 0) {
        int bytes = written(1 << 16).stream().mapToInt(f -> f.length).sum();
        assertTrue(bytes >= frame.length);
        cut++;
      }
    }
    assertTrue(cut > 100_000, "most were good: " + cut);
  }

  /** The packet is looked at twice, and a guest may change it between: the second look decides. */
  @Test
  void aPacketThatChangesAfterItWasValidatedIsCutAsItIsThenOrDropped() {
    Packet packet = Packet.tcp4(300);
    OffloadCapture capture = new OffloadCapture(Offload.ALL);
    byte[] frame = packet.frame(Frames.mac(2), Frames.mac(1));
    for (int at = 12; at < packet.headers(); at++) {
      for (int value = 0; value < 256; value += 5) {
        lend(frame);
        capture.take(
            burst,
            0,
            0x101L | 100L << 32 | (long) packet.transport() << 48,
            packet.checksumOffset());
        assertEquals(1, burst.valid);
        pokeFrame(at, value);
        DropReason wrong = software.begin(burst, 0, 2048);
        if (wrong != null) {
          assertEquals(DropReason.BAD_OFFLOAD, wrong);
        } else {
          assertFalse(written(2048).isEmpty());
        }
      }
    }
  }

  private void pokeFrame(int at, int value) {
    int left = at;
    int segment = 0;
    while (left >= burst.table.segmentLength[segment]) {
      left -= burst.table.segmentLength[segment++];
    }
    Memory.putByte(burst.table.segmentAddress[segment] + left, value);
  }

  /** The same over a real ring, header and frame cut anywhere; each frame has its one fate. */
  @Test
  void aGuestThatTriesAllOfThemLosesOnlyWhatIsImpossible() throws Exception {
    try (Lan lan = new Lan()) {
      Guest guest = lan.offloading();
      RingPort port = new RingPort("ring", 1024, 2048, 1023);
      lan.add(port).start();
      guest.up();
      List<Packet> kinds = packets();
      long good = 0;
      long bad = 0;
      for (int round = 0; round < 6000; round++) {
        Packet packet = kinds.get(random.nextInt(kinds.size()));
        int length = 14 + random.nextInt(packet.headers() + 290);
        byte[] whole = packet.frame(Frames.mac(2), Frames.mac(1));
        byte[] frame = Arrays.copyOf(whole, random.nextBoolean() ? whole.length : length);
        int[] types = {0, 0, 1, 4, 5, 0x81, 0x84, random.nextInt(256)};
        boolean honest = random.nextInt(3) > 0;
        Asked asked =
            new Asked(
                honest ? 1 : random.nextInt(256),
                honest ? packet.gsoType() : types[random.nextInt(8)],
                random.nextInt(10) == 0 ? 0 : 50 + random.nextInt(400),
                honest ? packet.transport() : random.nextInt(frame.length + 20),
                honest ? packet.checksumOffset() : random.nextInt(30));
        byte[] header =
            Packet.header(
                12,
                asked.flags,
                asked.type,
                random.nextInt(0x10000),
                asked.gsoSize,
                asked.csumStart,
                asked.csumOffset);
        if (asked.anything() && !asked.possible(packet, frame.length, Offload.ALL)) {
          bad++;
        } else {
          good++;
        }
        int[] cuts =
            random.ints(random.nextInt(8), 1, 12 + frame.length).sorted().distinct().toArray();
        guest.sendWith(header, frame, cuts);
      }
      long all = good + bad;
      Lan.await("all of them", () -> lan.queue("guest0", "tx0").frames() == all);
      assertEquals(bad, lan.drops("guest0", "tx0", DropReason.BAD_OFFLOAD));
      assertEquals(good, lan.queue("ring", "out").frames());
      assertTrue(good > 1000 && bad > 1000, good + " good, " + bad + " bad");
    }
  }

  /** Read once: what is flipped meanwhile is either all of the old or all of the new. */
  @Test
  void aHeaderThatChangesAllTheTimeIsTakenAsItWasReadOnce() throws Exception {
    Packet packet = Packet.tcp4(1000);
    byte[] frame = packet.frame(Frames.mac(2), Frames.mac(1));
    try (Lan lan = new Lan()) {
      Guest guest = lan.offloading();
      RingPort port = new RingPort("ring", 1024, 2048, 1);
      lan.add(port).start();
      guest.up();
      var ring = guest.transmitRing(0);
      long buffer = ring.buffer(12 + frame.length);
      long start = ring.host(buffer) + 6;
      Memory.copyFromArray(packet.segmentHeader(12, 100), 0, ring.host(buffer), 12);
      Memory.copyFromArray(frame, 0, ring.host(buffer) + 12, frame.length);
      var stop = new AtomicBoolean();
      Thread flipper =
          new Thread(
              () -> {
                while (!stop.get()) {
                  Memory.putShort(start, 0xffff);
                  Memory.putShort(start, packet.transport());
                }
              });
      flipper.start();
      try {
        long sent = 0;
        for (long end = System.nanoTime() + 2_000_000_000L; System.nanoTime() < end; sent++) {
          Lan.await("a free descriptor", () -> guest.reap(0) >= 0 && ring.freeDescriptors() > 0);
          int before = ring.availableIndex();
          ring.post(new FakeDriver.Piece(buffer, 12 + frame.length, false));
          guest.kickIfNeeded(1, before);
        }
        long all = sent;
        Lan.await("all of them", () -> lan.queue("guest0", "tx0").frames() == all);
        long bad = lan.drops("guest0", "tx0", DropReason.BAD_OFFLOAD);
        long good = lan.queue("ring", "out").frames();
        assertEquals(all, bad + good);
        List<byte[]> got = port.take();
        assertEquals(10 * good, got.size());
        for (int n = 0; n < good; n++) {
          packet.verifySegments(got.subList(10 * n, 10 * n + 10), 100);
        }
        assertTrue(bad > 0 && good > 0, good + " good, " + bad + " bad");
      } finally {
        stop.set(true);
        flipper.join();
      }
    }
  }
}
