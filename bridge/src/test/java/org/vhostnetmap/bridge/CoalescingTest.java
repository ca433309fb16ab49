// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.vhost.Offer;

/** Bursts of TCP segments offered to a guest's receiveq, by a test that plays the worker. */
final class CoalescingTest {
  private static final int PAGE = 4096;
  private static final long MERGEABLE = Guest.MRG_RXBUF | Guest.VERSION_1;
  private static final long ONE_BUFFER = Guest.VERSION_1;

  private final Lan lan = new Lan();
  private final RecordingPort wire = new RecordingPort("wire");
  private final Fd file = SharedFile.create("segments", 64L * PAGE);
  private final Mapping memory = Mapping.of(file.value(), 0, 64L * PAGE, true);
  private final Burst burst = new Burst();

  CoalescingTest() throws Exception {
    burst.clear();
  }

  @AfterEach
  void close() {
    lan.close();
    memory.close();
    file.close();
  }

  private Guest guest(long features) throws Exception {
    Guest guest = lan.guest(Offer.net(1, false).withOffloads(), 256).taking(features);
    guest.port.coalescing(true);
    lan.add(wire).start();
    return guest;
  }

  /** Frames of a burst, each at the beginning of a page. */
  private void lend(List<byte[]> frames) {
    burst.clear();
    burst.valid = 0;
    for (byte[] frame : frames) {
      long at = memory.address() + (long) PAGE * burst.count;
      Memory.copyFromArray(frame, 0, at, frame.length);
      burst.append(at, frame.length);
    }
  }

  private static List<byte[]> train(int count) {
    List<byte[]> frames = new ArrayList<>();
    Segment segment = Segment.of(false, 1000, 1);
    for (int i = 0; i < count; i++) {
      frames.add(segment.frame());
      segment = segment.next(1000);
    }
    return frames;
  }

  /** Offers the burst once, as its source counts it. */
  private long offer(Guest guest) {
    burst.taken = 0;
    long left = guest.port.sink().offer(burst, burst.valid);
    assertEquals(burst.valid & ~left, burst.taken);
    wire.in.count(burst, Long.bitCount(burst.taken));
    return left;
  }

  private static List<byte[]> cut(List<Guest.Received> received) {
    List<byte[]> frames = new ArrayList<>();
    for (Guest.Received one : received) {
      frames.addAll(Segment.cut(one.header(), one.frame(), false));
    }
    return frames;
  }

  private static void assertSame(List<byte[]> expected, List<byte[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), "frame " + i);
    }
  }

  private void assertCounted(int frames, int coalesced) {
    QueueStatus status = lan.queue("guest0", "rx0");
    assertEquals(frames, status.frames());
    assertEquals(coalesced, status.coalesced());
    assertEquals(frames * 1054L, status.bytes());
    assertEquals(0, status.dropped());
  }

  @Test
  void driverGetsOnePacketOverSeveralBuffersAndEveryFrameIsCounted() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.TAKES);
    guest.up().buffers(32, 1536);
    List<byte[]> frames = train(5);
    Segment other = Segment.of(true, 980, 1); // as long as the others, of another flow
    frames.add(2, other.frame());
    lend(frames);
    assertEquals(0, offer(guest));
    List<Guest.Received> got = guest.receiveWithHeaders(0, 0);
    assertEquals(2, got.size());
    assertEquals(4, got.get(0).header()[10], "num_buffers");
    assertArrayEquals(other.frame(), got.get(1).frame());
    frames.remove(2);
    assertSame(frames, cut(got.subList(0, 1)));
    assertCounted(6, 5);
  }

  @Test
  void driverWithoutMergeableBuffersGetsOnePacketInOne() throws Exception {
    Guest guest = guest(ONE_BUFFER | Guest.TAKES);
    guest.up();
    guest.receiveRing(0).postReceive(12, 9000, 9000);
    lend(train(9));
    assertEquals(0, offer(guest));
    List<Guest.Received> got = guest.receiveWithHeaders(0, 0);
    assertEquals(1, got.size());
    assertEquals(1, got.getFirst().header()[10], "num_buffers");
    assertSame(train(9), cut(got));
    assertCounted(9, 9);
  }

  @Test
  void framesGoOneByOneWhereThePacketFindsNoRoom() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.TAKES);
    guest.up().buffers(3, 1536);
    lend(train(5)); // 5054 bytes and a header need four buffers
    assertEquals(0b11000, offer(guest));
    assertSame(train(3), guest.receive(0, 0));
    assertCounted(3, 0);
  }

  @Test
  void framesGoOneByOneWhereOneBufferIsTooSmallForThePacket() throws Exception {
    Guest guest = guest(ONE_BUFFER | Guest.TAKES);
    guest.up().buffers(32, 2048);
    lend(train(5));
    assertEquals(0, offer(guest));
    assertSame(train(5), guest.receive(0, 0));
    assertCounted(5, 0);
  }

  @Test
  void whatFollowsAPacketWaitsBehindItForRoom() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.TAKES);
    guest.up().buffers(4, 1536);
    List<byte[]> frames = train(7);
    frames.get(5)[20] = 1; // now a fragment
    lend(frames);
    assertEquals(0b1100000, offer(guest));
    assertSame(train(5), cut(guest.receiveWithHeaders(0, 0)));
    assertCounted(5, 5);
  }

  @Test
  void driverThatTakesNoSegmentsGetsFrames() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.GUEST_CSUM);
    guest.up().buffers(32, 1536);
    lend(train(5));
    assertEquals(0, offer(guest));
    assertSame(train(5), guest.receive(0, 0));
    assertCounted(5, 0);
  }

  @Test
  void aPortThatMayNotCoalesceHandsOnFrames() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.TAKES);
    guest.port.coalescing(false);
    guest.up().buffers(32, 1536);
    lend(train(5));
    assertEquals(0, offer(guest));
    assertSame(train(5), guest.receive(0, 0));
    assertCounted(5, 0);
  }

  /** The sender takes pages away; whoever forwards counts what was left, here nobody. */
  @Test
  void afterAPageOfASegmentHasGoneTheQueueIsAsItWas() throws Exception {
    Guest guest = guest(MERGEABLE | Guest.TAKES);
    guest.up().buffers(32, 1536);
    for (int left = 0; left < 4; left++) {
      lend(train(5));
      SharedFile.truncate(file.value(), (long) PAGE * left);
      burst.taken = 0;
      assertThrows(InternalError.class, () -> guest.port.sink().offer(burst, burst.valid));
      assertEquals(0, burst.taken);
      SharedFile.truncate(file.value(), 64L * PAGE);
    }
    assertEquals(0, guest.receive(0, 0).size());
    lend(train(5));
    assertEquals(0, offer(guest));
    assertSame(train(5), cut(guest.receiveWithHeaders(0, 0)));
    assertCounted(5, 5);
  }
}
