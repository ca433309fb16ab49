// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.vhost.Offer;

/** What a guest leaves undone (virtio 1.3, 5.1.6.2) is done before it leaves by another port. */
final class OffloadTest {
  private static final long TO = mac(2);
  private static final long FROM = mac(1);

  static Stream<Packet> packets() {
    return Packet.kinds(8000).stream();
  }

  private static List<byte[]> awaitSent(RingPort port, int count) {
    List<byte[]> got = new ArrayList<>();
    Lan.await(
        count + " frames",
        () -> {
          got.addAll(port.take());
          return got.size() >= count;
        });
    return got;
  }

  private static List<Guest.Received> awaitReceived(Guest guest, int count, int bufferLength) {
    List<Guest.Received> got = new ArrayList<>();
    Lan.await(
        count + " frames",
        () -> {
          got.addAll(guest.receiveWithHeaders(0, bufferLength));
          return got.size() >= count;
        });
    return got;
  }

  private static int segments(Packet packet, int gsoSize) {
    return (packet.data().length + gsoSize - 1) / gsoSize;
  }

  @Nested
  final class IntoARing {
    @ParameterizedTest
    @MethodSource("org.vhostnetmap.bridge.OffloadTest#packets")
    void segmentsAreThePacketHoweverSmallTheBuffers(Packet packet) throws Exception {
      for (int bufferBytes : new int[] {100, 256, 2048}) {
        try (Lan lan = new Lan()) {
          Guest guest = lan.offloading();
          RingPort port = new RingPort("ring", 512, bufferBytes, 511);
          lan.add(port).start();
          guest.up();
          for (int gsoSize : new int[] {1448, 333, 7999, 8000, 8001}) {
            guest.sendWith(packet.segmentHeader(12, gsoSize), packet.frame(TO, FROM));
            packet.verifySegments(awaitSent(port, segments(packet, gsoSize)), gsoSize);
          }
          QueueStatus out = lan.queue("ring", "out");
          assertEquals(5, out.frames());
          assertEquals(6 + 25 + 2 + 1 + 1, out.segments());
          assertEquals(0, out.dropped());
          assertEquals(5L * packet.frame(TO, FROM).length, out.bytes());
        }
      }
    }

    @ParameterizedTest
    @MethodSource("org.vhostnetmap.bridge.OffloadTest#packets")
    void aPartialChecksumIsCompletedInOneSlotAndOverSeveral(Packet packet) throws Exception {
      for (int bufferBytes : new int[] {65, 256, 16384}) {
        try (Lan lan = new Lan()) {
          Guest guest = lan.offloading();
          RingPort port = new RingPort("ring", 512, bufferBytes, 511);
          lan.add(port).start();
          guest.up();
          guest.sendWith(packet.checksumHeader(12), packet.frame(TO, FROM));
          packet.verifyWhole(awaitSent(port, 1).getFirst());
          assertEquals(0, lan.queue("ring", "out").segments());
        }
      }
    }

    @Test
    void aUdpChecksumThatComesOutAsZeroIsSentAsAllOnes() throws Exception {
      Packet packet = Packet.udp4(2);
      byte[] frame = packet.frame(TO, FROM);
      for (int word = 0; word < 0x10000; word++) {
        frame[frame.length - 2] = (byte) (word >>> 8);
        frame[frame.length - 1] = (byte) word;
        if (Packet.sum(frame, packet.transport(), frame.length, 0) == 0xffff) {
          break;
        }
      }
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        RingPort port = new RingPort("ring", 16, 256, 1);
        lan.add(port).start();
        guest.up();
        guest.sendWith(packet.checksumHeader(12), frame);
        byte[] got = awaitSent(port, 1).getFirst();
        assertEquals((byte) 0xff, got[packet.transport() + 6]);
        assertEquals((byte) 0xff, got[packet.transport() + 7]);
        packet.verify(got);
      }
    }

    @Test
    void aPacketOf64KibCutIntoPiecesGoesOutWhole() throws Exception {
      Packet packet = Packet.tcp4(65535 - 20 - 32);
      byte[] frame = packet.frame(TO, FROM);
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        RingPort port = new RingPort("ring", 64, 2048, 1);
        lan.add(port).start();
        guest.up();
        int[] cuts = new int[17];
        for (int round = 0; round < 20; round++) {
          for (int i = 0; i < cuts.length; i++) {
            cuts[i] = 12 + round + 3800 * i;
          }
          guest.sendWith(packet.segmentHeader(12, 1448), frame, cuts);
          packet.verifySegments(awaitSent(port, segments(packet, 1448)), 1448);
        }
      }
    }

    @Test
    void tcpIsCutSmallerForAPortOfSmallFramesAndDatagramsAreNot() throws Exception {
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        RingPort port = new RingPort("ring", 64, 512, 1);
        lan.add(port).start();
        guest.up();
        Packet tcp = Packet.tcp6(3000);
        guest.sendWith(tcp.segmentHeader(12, 1400), tcp.frame(TO, FROM));
        int room = 512 - tcp.headers();
        tcp.verifySegments(awaitSent(port, segments(tcp, room)), room);
        Packet udp = Packet.udp6(3000);
        guest.sendWith(udp.segmentHeader(12, 1400), udp.frame(TO, FROM));
        Lan.await("the drop", () -> lan.drops("ring", "out", DropReason.TOO_LONG) == 1);
      }
    }

    @Test
    void aFrameThatNeedsMoreSlotsThanThereAreIsDroppedAndOnesBesideItAreNot() throws Exception {
      Packet large = Packet.tcp4(8000);
      Packet small = Packet.tcp4(100);
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        RingPort port = new RingPort("ring", 32, 2048, 1);
        lan.add(port).start();
        guest.up();
        guest.sendWith(small.checksumHeader(12), small.frame(TO, FROM));
        guest.sendWith(large.segmentHeader(12, 100), large.frame(TO, FROM));
        guest.sendWith(small.checksumHeader(12), small.frame(TO, FROM));
        assertEquals(2, awaitSent(port, 2).size());
        Lan.await("the drop", () -> lan.drops("ring", "out", DropReason.TOO_LONG) == 1);
      }
    }

    @Test
    void aFrameThatFindsTooLittleRoomWaitsOnAWireAndGoesWholeOrNotAtAll() throws Exception {
      Packet packet = Packet.tcp4(8000);
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        RingPort port = new RingPort("ring", 64, 2048, 1);
        lan.add(port).start();
        guest.up();
        port.stopped = true;
        for (int n = 0; n < 5; n++) { // 20 slots each: three find room
          guest.sendWith(packet.segmentHeader(12, 400), packet.frame(TO, FROM));
        }
        Lan.await("drops", () -> lan.drops("ring", "out", DropReason.QUEUE_FULL) == 2);
        port.stopped = false;
        guest.sendWith(packet.segmentHeader(12, 400), packet.frame(TO, FROM));
        List<byte[]> got = awaitSent(port, 80);
        for (int n = 0; n < 4; n++) {
          packet.verifySegments(got.subList(20 * n, 20 * n + 20), 400);
        }
        assertEquals(4, lan.queue("ring", "out").frames());
      }
    }
  }

  @Nested
  final class ToAGuest {
    @ParameterizedTest
    @MethodSource("org.vhostnetmap.bridge.OffloadTest#packets")
    void thatTookTheFeaturesAFrameGoesWholeWithItsHeader(Packet packet) throws Exception {
      for (int bufferLength : new int[] {1536, 65536 + 64}) {
        try (Lan lan = new Lan()) {
          Guest a = lan.offloading();
          Guest b = lan.offloading();
          lan.start();
          a.up();
          b.up().buffers(32, bufferLength > 2048 ? 16384 : bufferLength);
          byte[] frame = packet.frame(TO, FROM);
          byte[] asked = packet.segmentHeader(12, 1234);
          asked[2] = 1; // hdr_len lies, and is not believed
          asked[0] |= 2; // a flag that is the device's alone
          a.sendWith(asked, frame);
          a.sendWith(packet.checksumHeader(12), frame);
          List<Guest.Received> got = awaitReceived(b, 2, 0);
          byte[] expected = packet.segmentHeader(12, 1234);
          expected[10] = got.get(0).header()[10];
          assertArrayEquals(expected, got.get(0).header());
          assertArrayEquals(frame, got.get(0).frame());
          expected = packet.checksumHeader(12);
          expected[10] = got.get(1).header()[10];
          assertArrayEquals(expected, got.get(1).header());
          assertArrayEquals(frame, got.get(1).frame());
          assertEquals(0, lan.queue("guest1", "rx0").segments());
        }
      }
    }

    @ParameterizedTest
    @MethodSource("org.vhostnetmap.bridge.OffloadTest#packets")
    void thatTookNothingAFrameIsCutIntoItsBuffers(Packet packet) throws Exception {
      long modern = Guest.VERSION_1;
      for (long features : new long[] {0, Guest.MRG_RXBUF, modern, modern | Guest.MRG_RXBUF}) {
        boolean mergeable = (features & Guest.MRG_RXBUF) != 0;
        for (int bufferLength : mergeable ? new int[] {200, 1700, 5000} : new int[] {1700}) {
          try (Lan lan = new Lan()) {
            Guest a = lan.offloading();
            Guest b = lan.guest(1).taking(features);
            lan.start();
            a.up();
            b.up().buffers(200, bufferLength);
            byte[] frame = packet.frame(TO, FROM);
            a.sendWith(packet.segmentHeader(12, 1448), frame);
            List<byte[]> got = frames(awaitReceived(b, segments(packet, 1448), bufferLength));
            packet.verifySegments(got, 1448);
            assertEquals(6, lan.queue("guest1", "rx0").segments());
            assertEquals(1, lan.queue("guest1", "rx0").frames());
            Packet small = packet.tcp() ? Packet.tcp6(900) : Packet.udp4(901);
            a.sendWith(small.checksumHeader(12), small.frame(TO, FROM));
            small.verifyWhole(frames(awaitReceived(b, 1, bufferLength)).getFirst());
          }
        }
      }
    }

    private List<byte[]> frames(List<Guest.Received> received) {
      for (Guest.Received one : received) {
        for (int at = 0; at < 10; at++) {
          assertEquals(0, one.header()[at], "header byte " + at);
        }
      }
      return received.stream().map(Guest.Received::frame).toList();
    }

    @Test
    void thatTookSomeEachFrameGoesAsItMay() throws Exception {
      Packet four = Packet.tcp4(3000).withFlags(Packet.ACK);
      Packet six = Packet.tcp6(3000).withFlags(Packet.ACK);
      Packet reduced = Packet.tcp4(3000);
      Packet udp = Packet.udp4(3000);
      try (Lan lan = new Lan()) {
        Guest a = lan.offloading();
        Guest b = lan.offloading().taking(Guest.VERSION_1 | Guest.MRG_RXBUF);
        b.takingAlso(Guest.GUEST_CSUM | Guest.GUEST_TSO4);
        lan.start();
        a.up();
        b.up().buffers(200, 2048);
        for (Packet packet : List.of(four, six, reduced, udp)) {
          a.sendWith(packet.segmentHeader(12, 1000), packet.frame(TO, FROM));
        }
        List<Guest.Received> got = awaitReceived(b, 10, 0);
        assertArrayEquals(four.frame(TO, FROM), got.get(0).frame());
        six.verifySegments(frames(got.subList(1, 4)), 1000);
        reduced.verifySegments(frames(got.subList(4, 7)), 1000);
        udp.verifySegments(frames(got.subList(7, 10)), 1000);
        assertEquals(9, lan.queue("guest1", "rx0").segments());
        assertEquals(4, lan.queue("guest1", "rx0").frames());
      }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whoseBuffersDoNotHoldItTheFrameIsDropped(boolean mergeable) throws Exception {
      Packet packet = Packet.tcp4(60000);
      try (Lan lan = new Lan()) {
        Guest a = lan.offloading();
        Guest b = lan.guest(1).taking(Guest.VERSION_1 | (mergeable ? Guest.MRG_RXBUF : 0));
        lan.start();
        a.up();
        b.up().buffers(200, mergeable ? 200 : 1400);
        a.sendWith(packet.segmentHeader(12, 1448), packet.frame(TO, FROM));
        DropReason why = mergeable ? DropReason.NO_BUFFERS : DropReason.BUFFER_TOO_SMALL;
        Lan.await("the drop", () -> lan.drops("guest1", "rx0", why) == 1);
        assertEquals(mergeable ? 25 : 0, b.receive(0, 0).size(), "pieces that found room");
      }
    }

    @Test
    void withFewerBuffersThanPiecesAFrameGoesOnWhenItPostsMore() throws Exception {
      Packet packet = Packet.tcp4(30000);
      try (Lan lan = new Lan()) {
        Guest a = lan.offloading();
        Guest b = lan.guest(1).taking(Guest.VERSION_1);
        lan.start();
        a.up();
        b.up().buffers(8, 1700);
        List<byte[]> got = new ArrayList<>();
        int[] sent = {0};
        Lan.await(
            "a whole frame",
            () -> {
              boolean whole = lan.queue("guest1", "rx0").frames() > 0;
              long lost = lan.drops("guest1", "rx0", DropReason.NO_BUFFERS);
              got.addAll(b.receive(0, 1700)); // and posts as many anew
              // Who takes 10 ms for it loses the rest; then the sender begins again, as TCP does.
              if (!whole && lost == sent[0]) {
                got.clear();
                sent[0]++;
                a.sendWith(packet.segmentHeader(12, 1448), packet.frame(TO, FROM));
              }
              return whole;
            });
        packet.verifySegments(got, 1448);
      }
    }

    /**
     * No frame of any of the sender's rings begins anew because another one's piece came between.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void framesOfSeveralRingsGoOnWhereEachStopped(int receivers) throws Exception {
      int senders = 8;
      Offer offer = Offer.net(senders, false).withOffloads();
      for (int workers = 1; workers <= 3; workers += 2) {
        try (Lan lan = new Lan(Lan.workers(workers))) {
          Guest a = lan.guest(offer, 256).takingAlso(Guest.LEAVES);
          Guest b = lan.guest(offer, 256).taking(Guest.VERSION_1);
          lan.start();
          a.up(senders);
          b.up(receivers).buffers(8, 1700);
          List<List<byte[]>> got = new ArrayList<>();
          for (int pair = 0; pair < senders; pair++) {
            got.add(new ArrayList<>());
            a.sendOn(pair, PARTS.segmentHeader(12, 1448), ofFlow(pair));
          }
          int[] taken = {0};
          Lan.await(
              "all frames",
              () -> {
                for (int ring = 0; ring < receivers; ring++) {
                  for (Guest.Received one : b.receiveWithHeaders(ring, 1700)) {
                    got.get(one.frame()[PARTS.transport() + 1] & 7).add(one.frame());
                  }
                }
                for (int pair = 0; pair < senders; pair++) {
                  taken[0] += a.reap(pair);
                }
                return taken[0] == senders;
              });
          long dropped = lan.status().dropped(); // this thread may have been held up for 10 ms
          for (int ring = 0; ring < receivers; ring++) {
            for (Guest.Received one : b.receiveWithHeaders(ring, 0)) {
              got.get(one.frame()[PARTS.transport() + 1] & 7).add(one.frame());
            }
          }
          int whole = segments(PARTS, 1448);
          for (List<byte[]> flow : got) {
            List<Integer> numbers = flow.stream().map(ToAGuest::sequence).toList();
            assertEquals(numbers.stream().sorted().distinct().toList(), numbers);
          }
          assertEquals(senders - dropped, got.stream().filter(f -> f.size() == whole).count());
        }
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void aFrameThatWasDroppedHalfwayComesFromItsBeginningWhenItIsSentAgain(int receivers)
        throws Exception {
      try (Lan lan = new Lan()) {
        Guest a = lan.offloading();
        Guest b = lan.guest(receivers).taking(Guest.VERSION_1);
        lan.start();
        a.up();
        b.up(receivers).buffers(8, 1700);
        a.sendOn(0, PARTS.segmentHeader(12, 1448), ofFlow(1));
        Lan.await("the drop", () -> lan.status().dropped() == 1);
        assertEquals(8, receivedOnAny(b, receivers));
        b.buffers(30, 1700);
        a.sendOn(0, PARTS.segmentHeader(12, 1448), ofFlow(1));
        Lan.await("it again", () -> lan.status().delivered() == 1);
        assertEquals(segments(PARTS, 1448), receivedOnAny(b, receivers));
      }
    }

    private static int receivedOnAny(Guest guest, int receivers) {
      int count = 0;
      for (int ring = 0; ring < receivers; ring++) {
        count += guest.receiveWithHeaders(ring, 0).size();
      }
      return count;
    }

    /** Bytes of the packet before this segment. */
    private static int sequence(byte[] segment) {
      return java.nio.ByteBuffer.wrap(segment).getInt(PARTS.transport() + 4)
          - Packet.FIRST_SEQUENCE;
    }

    private static final Packet PARTS = Packet.tcp4(30000);

    /** The packet with a source port of its own; its checksum is that of the pseudo-header. */
    private static byte[] ofFlow(int flow) {
      byte[] frame = PARTS.frame(TO, FROM);
      frame[PARTS.transport()] = 0;
      frame[PARTS.transport() + 1] = (byte) (64 + flow);
      return frame;
    }
  }

  /** The receiver is innocent: it is shown what it got before, though nothing comes after. */
  @Test
  void whatWasDeliveredBeforeAPageVanishedUnderTheNextFrameIsShown() throws Exception {
    Packet packet = Packet.tcp4(5000);
    byte[] frame = packet.frame(TO, FROM);
    RecordingPort port = new RecordingPort("port");
    try (Fd file = SharedFile.create("gone", 1 << 20);
        Mapping gone = Mapping.of(file.value(), 0, 1 << 20, true);
        Lan lan = new Lan()) {
      SharedFile.truncate(file.value(), 0);
      port.retouch =
          burst -> {
            if (burst.count < 2) {
              burst.clear(); // both at once or none
              return;
            }
            int last = burst.count - 1;
            burst.address[last] = gone.address();
            burst.table.segmentAddress[last] = gone.address();
            burst.offloads = 1L << last;
            burst.header[last] =
                Offload.segmentHeader(1, packet.headers(), 1448, packet.transport(), true);
            burst.checksumOffset[last] = 16;
          };
      Guest guest = lan.guest(1);
      lan.add(port).start();
      guest.up().buffers(20, 2048);
      port.toSend.add(Frames.frame(TO, FROM, 60, 1));
      port.toSend.add(frame);
      assertEquals(1, Frames.number(awaitReceived(guest, 1, 0).getFirst().frame()));
      Lan.await("the drop", () -> lan.drops("guest0", "rx0", DropReason.MEMORY_VANISHED) == 1);
    }
  }

  @Test
  void aFloodedFrameIsDoneByEachPortAsItNeedsIt() throws Exception {
    Packet packet = Packet.tcp4(5000);
    try (Lan lan = new Lan()) {
      Guest a = lan.offloading();
      Guest takesAll = lan.offloading();
      Guest takesNothing = lan.guest(1);
      RingPort port = new RingPort("ring", 64, 2048, 1);
      lan.add(port).start();
      a.up();
      takesAll.up().buffers(100, 2048);
      takesNothing.up().buffers(100, 2048);
      byte[] frame = packet.frame(Frames.BROADCAST, FROM);
      a.sendWith(packet.segmentHeader(12, 1448), frame);
      assertArrayEquals(frame, awaitReceived(takesAll, 1, 0).getFirst().frame());
      List<byte[]> got =
          awaitReceived(takesNothing, 4, 0).stream().map(Guest.Received::frame).toList();
      packet.verifySegments(got, 1448);
      packet.verifySegments(awaitSent(port, 4), 1448);
      BridgeStatus status = lan.status();
      assertEquals(1, status.received());
      assertEquals(3, status.delivered());
      assertEquals(2, status.floodCopies());
    }
  }
}
