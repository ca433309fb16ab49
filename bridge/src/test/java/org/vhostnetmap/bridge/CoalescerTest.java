// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.offload.Pieces;

/**
 * What may be put together, and what may not. Whatever comes out is cut again by the byte-wise
 * {@link Segment#cut}, and has to be the frames that went in.
 */
final class CoalescerTest {
  private static final int BOTH = Offload.CSUM | Offload.TSO4 | Offload.TSO6;
  private static final int SLOT = 1 << 16;

  private final Mapping memory;
  private final Mapping place;
  private final Burst burst = new Burst();
  private final Random random = new Random(11);
  private Coalescer coalescer = coalescer(BOTH);
  private boolean scattered;

  CoalescerTest() throws Exception {
    memory = Mapping.anonymous((long) SLOT * Burst.FRAMES);
    place = Mapping.anonymous(1 << 17);
    burst.clear();
  }

  @AfterEach
  void unmap() {
    memory.close();
    place.close();
  }

  private static Coalescer coalescer(int takes) {
    return Objects.requireNonNull(Coalescer.of(takes));
  }

  /** What comes out for one frame or group: header, frame, and how many frames of the burst. */
  @SuppressWarnings("ArrayRecordComponent") // nobody compares two of them
  private record Out(byte[] header, byte[] frame, int count) {}

  private void lend(byte[] frame) {
    int i = burst.count;
    long at = memory.address() + (long) SLOT * i;
    Memory.copyFromArray(frame, 0, at, frame.length);
    if (!scattered) {
      burst.append(at, frame.length);
      return;
    }
    int table = i == 0 ? 0 : burst.segment[i - 1] + burst.segments[i - 1];
    int segments = 0;
    for (int done = 0; done < frame.length; segments++) {
      int part = Math.min(frame.length - done, 1 + random.nextInt(700));
      burst.table.segmentAddress[table + segments] = at + done;
      burst.table.segmentLength[table + segments] = part;
      done += part;
    }
    burst.count++;
    burst.set(i, table, segments, frame.length);
  }

  /** All that leaves the burst, in the order in which a sink would write it. */
  private List<Out> go(List<byte[]> frames) {
    burst.clear();
    burst.valid = 0;
    frames.forEach(this::lend);
    return look();
  }

  private List<Out> look() {
    long groups = coalescer.look(burst, burst.valid);
    List<Out> all = new ArrayList<>();
    long left = burst.valid;
    while (left != 0) {
      int i = Long.numberOfTrailingZeros(left);
      long taken = (groups >>> i & 1) != 0 ? coalescer.members(i) : 1L << i;
      assertEquals(taken, taken & left, "each frame once");
      all.add(taken == 1L << i ? alone(i) : group(i, Long.bitCount(taken)));
      left &= ~taken;
    }
    return all;
  }

  private Out alone(int i) {
    burst.copyTo(i, place.address());
    return new Out(new byte[10], read(burst.length[i]), 1);
  }

  private Out group(int first, int count) {
    int length = coalescer.length(first);
    Pieces to = new Pieces(2);
    to.add(place.address(), 1000);
    to.add(place.address() + 1000, length - 1000);
    coalescer.write(burst, first, to);
    ByteBuffer header = ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(Offload.wire(coalescer.header(first)));
    header.putShort((short) Coalescer.CHECKSUM_OFFSET);
    return new Out(header.array(), read(length), count);
  }

  private byte[] read(int length) {
    byte[] bytes = new byte[length];
    Memory.copyToArray(place.address(), bytes, 0, length);
    return bytes;
  }

  private static List<byte[]> frames(List<Segment> segments) {
    return segments.stream().map(Segment::frame).toList();
  }

  private static void assertSame(List<byte[]> expected, List<byte[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), "frame " + i);
    }
  }

  private static List<Segment> train(Segment first, int... lengths) {
    List<Segment> all = new ArrayList<>(List.of(first));
    for (int length : lengths) {
      all.add(all.getLast().next(length));
    }
    return all;
  }

  static Stream<Segment> kinds() {
    List<Segment> all = new ArrayList<>();
    for (boolean ipv6 : new boolean[] {false, true}) {
      for (int vlan : new int[] {-1, 0x6005}) {
        for (int options : new int[] {0, 12, 40}) {
          Segment segment = Segment.of(ipv6, 1000, 1);
          segment.vlan = vlan;
          segment.options = new byte[options];
          Arrays.fill(segment.options, (byte) 1);
          all.add(segment);
        }
      }
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void segmentsInARowBecomeOnePacketThatIsCutIntoTheSame(Segment first) {
    for (boolean pieces : new boolean[] {false, true}) {
      scattered = pieces;
      List<Segment> train = train(first, 1000, 1000, 999);
      train.getLast().flags |= Segment.PSH;
      List<Out> out = go(frames(train));
      assertEquals(1, out.size());
      byte[] header = out.getFirst().header;
      assertEquals(1, header[0], "NEEDS_CSUM");
      assertEquals(first.ipv6 ? 4 : 1, header[1], "gso_type");
      assertEquals(first.headers(), Segment.little(header, 2), "hdr_len");
      assertEquals(1000, Segment.little(header, 4), "gso_size");
      assertEquals(first.transport(), Segment.little(header, 6), "csum_start");
      assertEquals(16, Segment.little(header, 8), "csum_offset");
      byte[] frame = out.getFirst().frame;
      int checksum = ByteBuffer.wrap(frame).getShort(first.transport() + 16) & 0xffff;
      int pseudo = Segment.pseudo(frame, first.ip(), first.transport(), first.ipv6, frame.length);
      assertEquals(pseudo, checksum, "sum of the pseudo-header");
      assertSame(frames(train), Segment.cut(header, frame, false));
    }
  }

  @Test
  void sequenceAndIdentificationWrap() {
    Segment first = Segment.of(false, 1448, 1);
    first.sequence = -2000;
    first.id = 0xfffe;
    List<Segment> train = train(first, 1448, 1448, 1448);
    List<Out> out = go(frames(train));
    assertEquals(1, out.size());
    assertSame(frames(train), Segment.cut(out.getFirst().header, out.getFirst().frame, false));
  }

  @Test
  void interleavedFlowsAreEachPutTogether() {
    List<byte[]> frames = new ArrayList<>();
    List<List<Segment>> flows = new ArrayList<>();
    for (int flow = 0; flow < 3; flow++) {
      Segment first = Segment.of(flow == 1, 500, flow);
      first.port = 5000 + flow;
      flows.add(train(first, 500, 500));
    }
    for (int n = 0; n < 3; n++) {
      for (List<Segment> flow : flows) {
        frames.add(flow.get(n).frame());
      }
      frames.add(Frames.frame(Frames.mac(2), Frames.mac(1), 60, n)); // not even IP
    }
    List<Out> out = go(frames);
    assertEquals(6, out.size());
    for (int flow = 0; flow < 3; flow++) {
      assertEquals(3, out.get(flow).count);
      assertSame(
          frames(flows.get(flow)), Segment.cut(out.get(flow).header, out.get(flow).frame, false));
    }
  }

  static Stream<Named<Consumer<Segment>>> differences() {
    return Stream.of(
        Named.of("FIN", s -> s.flags |= Segment.FIN),
        Named.of("SYN", s -> s.flags |= Segment.SYN),
        Named.of("RST", s -> s.flags |= Segment.RST),
        Named.of("URG", s -> s.flags |= Segment.URG),
        Named.of("ECE", s -> s.flags |= Segment.ECE),
        Named.of("CWR", s -> s.flags |= Segment.CWR),
        Named.of("no ACK", s -> s.flags = 0),
        Named.of("a reserved flag", s -> s.reserved = 1),
        Named.of("acknowledgement", s -> s.acknowledgement++),
        Named.of("window", s -> s.window++),
        Named.of("urgent pointer", s -> s.urgent = 1),
        Named.of("options", s -> s.options = new byte[] {1, 1, 1, 0}),
        Named.of("length of options", s -> s.options = new byte[8]),
        Named.of("gap", s -> s.sequence++),
        Named.of("overlap", s -> s.sequence--),
        Named.of("larger", s -> s.data = new byte[501]),
        Named.of("no data", s -> s.data = new byte[0]),
        Named.of("traffic class", s -> s.trafficClass = 4),
        Named.of("congestion", s -> s.trafficClass = 3),
        Named.of("hops", s -> s.hops--),
        Named.of("wrong checksum", s -> s.badTcpChecksum = true),
        Named.of("IP options", s -> s.ipOptions = true),
        Named.of("padding", s -> s.padding = 6),
        Named.of("destination", s -> s.destination = Frames.mac(3)),
        Named.of("source", s -> s.source = Frames.mac(3)),
        Named.of("another VLAN", s -> s.vlan = 6),
        Named.of("priority", s -> s.vlan = 0x2005),
        Named.of("no VLAN", s -> s.vlan = -1),
        Named.of("port", s -> s.port++),
        Named.of("host", s -> s.host++));
  }

  @ParameterizedTest
  @MethodSource("differences")
  void aSegmentThatDiffersGoesAloneAndNoneOvertakesIt(Consumer<Segment> change) {
    for (boolean ipv6 : new boolean[] {false, true}) {
      assertAlone(ipv6, change);
    }
  }

  static Stream<Named<Consumer<Segment>>> differencesOfIpv4() {
    return Stream.of(
        Named.of("wrong IP checksum", s -> s.badIpChecksum = true),
        Named.of("more fragments", s -> s.fragment = 0x2000),
        Named.of("a later fragment", s -> s.fragment = 5),
        Named.of("reserved", s -> s.fragment = 0xc000),
        Named.of("may be fragmented", s -> s.fragment = 0),
        Named.of("identification", s -> s.id += 1000),
        Named.of("earlier identification", s -> s.id -= 2));
  }

  @ParameterizedTest
  @MethodSource("differencesOfIpv4")
  void aPacketOfIpv4ThatDiffersGoesAlone(Consumer<Segment> change) {
    assertAlone(false, change);
  }

  @Test
  void anotherFlowLabelGoesAlone() {
    assertAlone(true, s -> s.flowLabel++);
  }

  /** Of five segments the third is changed: the first two may be merged, and the last two. */
  private void assertAlone(boolean ipv6, Consumer<Segment> change) {
    Segment first = Segment.of(ipv6, 500, 1);
    first.vlan = 5;
    first.options = new byte[4];
    List<Segment> train = train(first, 500, 500, 500, 500);
    change.accept(train.get(2));
    List<Out> out = go(frames(train));
    List<byte[]> sameFlow = new ArrayList<>();
    boolean found = false;
    for (Out one : out) {
      found |= one.count == 1 && Arrays.equals(train.get(2).frame(), one.frame);
      sameFlow.addAll(Segment.cut(one.header, one.frame, false));
    }
    assertTrue(found, "the frame that differs, as it was");
    Segment changed = train.get(2);
    boolean otherFlow =
        changed.port != first.port
            || changed.host != first.host
            || changed.destination != first.destination
            || changed.source != first.source
            || changed.vlan != first.vlan;
    if (!otherFlow) {
      assertSame(frames(train), sameFlow);
    }
  }

  @Test
  void theFirstSegmentIsVerifiedToo() {
    List<Segment> train = train(Segment.of(false, 500, 1), 500, 500);
    train.getFirst().badTcpChecksum = true;
    List<Out> out = go(frames(train));
    assertEquals(List.of(1, 2), out.stream().map(Out::count).toList());
    assertArrayEquals(train.getFirst().frame(), out.getFirst().frame);
  }

  @Test
  void aShortSegmentAndAPushedOneEndAGroup() {
    List<Segment> train = train(Segment.of(true, 500, 1), 400, 400, 400, 400);
    train.get(3).flags |= Segment.PSH;
    assertEquals(List.of(2, 2, 1), go(frames(train)).stream().map(Out::count).toList());
  }

  @Test
  void aPushedSegmentBeginsNoGroup() {
    List<Segment> train = train(Segment.of(true, 500, 1), 500);
    train.getFirst().flags |= Segment.PSH;
    train.get(1).flags = Segment.ACK;
    assertEquals(2, go(frames(train)).size());
  }

  /** RFC 6864: what is not to be fragmented need not be numbered. */
  @Test
  void identificationMayStayTheSameWithDontFragmentAlone() {
    List<Segment> train = train(Segment.of(false, 500, 1), 500, 500);
    train.forEach(segment -> segment.id = 0);
    List<Out> out = go(frames(train));
    assertEquals(1, out.size());
    assertSame(frames(train), Segment.cut(out.getFirst().header, out.getFirst().frame, true));
    train.get(2).id = 1;
    assertEquals(List.of(2, 1), go(frames(train)).stream().map(Out::count).toList());
    train.forEach(segment -> segment.fragment = 0);
    train.forEach(segment -> segment.id = 9);
    assertEquals(3, go(frames(train)).size());
  }

  @Test
  void aPacketGetsNoLongerThanIpv4CanTell() {
    Segment first = Segment.of(false, 9000, 1);
    List<Out> out = go(frames(train(first, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000)));
    assertEquals(List.of(7, 2), out.stream().map(Out::count).toList());
    first = Segment.of(true, 65535 - 60 - 35000, 1);
    assertEquals(1, go(frames(train(first, 30000, 5000).subList(0, 2))).size());
    first = Segment.of(true, 32769, 1);
    assertEquals(2, go(frames(train(first, 32769))).size(), "one byte too many");
  }

  @Test
  void onlyTheKindThatTheDriverTakesIsMerged() {
    coalescer = coalescer(Offload.CSUM | Offload.TSO4);
    assertEquals(2, go(frames(train(Segment.of(true, 500, 1), 500))).size());
    assertEquals(1, go(frames(train(Segment.of(false, 500, 1), 500))).size());
    coalescer = coalescer(Offload.CSUM | Offload.TSO6);
    assertEquals(1, go(frames(train(Segment.of(true, 500, 1), 500))).size());
    assertEquals(2, go(frames(train(Segment.of(false, 500, 1), 500))).size());
    assertEquals(null, Coalescer.of(Offload.CSUM | Offload.ECN));
  }

  @Test
  void aFrameThatAsksForSomethingItselfStaysAloneAndInOrder() {
    List<byte[]> frames = frames(train(Segment.of(false, 500, 1), 500, 500, 500));
    burst.clear();
    frames.forEach(this::lend);
    burst.offloads = 1L << 1;
    assertEquals(List.of(1, 1, 2), look().stream().map(Out::count).toList());
  }

  @Test
  void framesThatAreNotOfferedAreLeftOut() {
    frames(train(Segment.of(false, 500, 1), 500, 500)).forEach(this::lend);
    long groups = coalescer.look(burst, 0b110);
    assertEquals(0b010, groups);
    assertEquals(0b110, coalescer.members(1));
  }

  /** Cut short, with lengths that lie: nothing is read that is not the frame's. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void headersThatLieAreLeftAlone(boolean ipv6) {
    Segment good = Segment.of(ipv6, 100, 1);
    byte[] frame = good.frame();
    for (int length = 14; length < frame.length; length++) {
      byte[] cut = Arrays.copyOf(frame, length);
      assertEquals(2, go(List.of(cut, cut)).size(), "cut to " + length);
    }
    for (int at = 12; at < good.headers(); at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] bad = frame.clone();
        bad[at] ^= (byte) (1 << bit);
        List<byte[]> frames = List.of(bad, good.next(100).frame());
        List<Out> out = go(frames);
        assertEquals(2, out.size(), "bit " + bit + " of byte " + at);
        assertSame(frames, out.stream().map(Out::frame).toList());
      }
    }
  }

  /** Anything may stand in a burst; each flow has to come out as it came in. */
  @Test
  void randomBurstsComeOutAsTheyWent() {
    int merged = 0;
    for (int round = 0; round < 3000; round++) {
      scattered = random.nextInt(4) == 0;
      List<List<byte[]>> in = new ArrayList<>();
      List<byte[]> frames = randomBurst(in);
      List<List<byte[]>> out = new ArrayList<>();
      in.forEach(flow -> out.add(new ArrayList<>()));
      for (Out one : go(frames)) {
        merged += one.count > 1 ? 1 : 0;
        for (byte[] frame : Segment.cut(one.header, one.frame, false)) {
          out.get(frame[11]).add(frame);
        }
      }
      for (int flow = 0; flow < in.size(); flow++) {
        assertSame(in.get(flow), out.get(flow));
      }
    }
    assertTrue(merged > 3000, "groups: " + merged);
  }

  /** Up to four flows, told apart by the last byte of their source; some segments are changed. */
  private List<byte[]> randomBurst(List<List<byte[]>> flows) {
    List<Consumer<Segment>> changes = new ArrayList<>();
    differences().map(Named::getPayload).forEach(changes::add);
    differencesOfIpv4().map(Named::getPayload).forEach(changes::add);
    Segment[] next = new Segment[1 + random.nextInt(4)];
    for (int flow = 0; flow < next.length; flow++) {
      next[flow] = Segment.of(random.nextBoolean(), 300 + random.nextInt(3), flow);
      next[flow].source = Frames.mac(flow);
      next[flow].sequence = random.nextInt();
      next[flow].id = random.nextInt(0x10000);
      next[flow].options = new byte[4 * random.nextInt(11)];
      flows.add(new ArrayList<>());
    }
    List<byte[]> frames = new ArrayList<>();
    int count = 2 + random.nextInt(Burst.FRAMES - 1);
    for (int i = 0; i < count; i++) {
      int flow = random.nextInt(next.length);
      Segment segment = next[flow].copy();
      next[flow] = segment.next(random.nextInt(8) == 0 ? 299 : 300);
      if (random.nextInt(8) == 0) {
        changes.get(random.nextInt(changes.size())).accept(segment);
        segment.source = Frames.mac(flow);
      }
      segment.flags |= random.nextInt(16) == 0 ? Segment.PSH : 0;
      frames.add(segment.frame());
      flows.get(flow).add(segment.frame());
    }
    return frames;
  }
}
