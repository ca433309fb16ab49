// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.bridge.Frames.mac;

import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * A frame of which a part is with the receiver, while other frames come between. The test's thread
 * is a worker with several sources.
 */
final class BegunFrameTest {
  private static final Packet PACKET = Packet.tcp4(30_000);
  private static final int GSO_SIZE = 1448;
  private static final int PIECES = 21;
  private static final int FIRST_PIECES = 8;
  private static final int BUFFER = 1700;

  /** A receiver of one queue that takes nothing undone, with room for the first pieces. */
  private static final class Receiver implements AutoCloseable {
    final Lan lan = new Lan();
    final Guest guest = lan.guest(1).taking(Guest.VERSION_1);
    final RecordingPort senders = new RecordingPort("senders");
    final Sink sink = guest.port.sink();

    Receiver() throws Exception {
      lan.add(senders).start();
      guest.up().buffers(FIRST_PIECES, BUFFER);
      guest.frontend.barrier();
    }

    @Override
    public void close() {
      lan.close();
    }
  }

  /** One frame in a burst of its own. */
  private static final class Sent implements AutoCloseable {
    final Burst burst = new Burst();
    private final Mapping memory;

    Sent(byte[] frame) throws ErrnoException {
      memory = Mapping.anonymous(1 << 16);
      Memory.copyFromArray(frame, 0, memory.address(), frame.length);
      burst.append(memory.address(), frame.length);
    }

    static Sent toBeCut() throws ErrnoException {
      Sent sent = new Sent(PACKET.frame(mac(2), mac(1)));
      sent.burst.offloads = 1;
      sent.burst.header[0] =
          Offload.segmentHeader(
              PACKET.gsoType(), PACKET.headers(), GSO_SIZE, PACKET.transport(), !PACKET.ipv6());
      sent.burst.checksumOffset[0] = PACKET.checksumOffset();
      return sent;
    }

    @Override
    public void close() {
      memory.close();
    }
  }

  private static void verifyWhole(Receiver receiver) {
    PACKET.verifySegments(
        receiver.guest.receiveWithHeaders(0, 0).stream().map(Guest.Received::frame).toList(),
        GSO_SIZE);
  }

  @Test
  void goesOnWhereItStoppedThoughAFrameOfAnotherSourceWasDroppedForWantOfRoom() throws Exception {
    try (Receiver receiver = new Receiver();
        Sent begun = Sent.toBeCut();
        Sent other = new Sent(Frames.frame(mac(2), mac(3), 60, 1))) {
      assertEquals(1, receiver.sink.offer(begun.burst, 1));
      assertEquals(1, receiver.sink.offer(other.burst, 1));
      receiver.sink.drop(DropReason.NO_BUFFERS, other.burst, 1);
      receiver.guest.buffers(PIECES - FIRST_PIECES, BUFFER);
      assertEquals(0, receiver.sink.offer(begun.burst, 1));
      verifyWhole(receiver);
      receiver.senders.in.frames = 2;
    }
  }

  @Test
  void goesOnWhereItStoppedThoughAFrameOfAnotherSourceFitsNoBuffer() throws Exception {
    try (Receiver receiver = new Receiver();
        Sent begun = Sent.toBeCut();
        Sent other = new Sent(Frames.frame(mac(2), mac(3), 3000, 1))) {
      assertEquals(1, receiver.sink.offer(begun.burst, 1));
      receiver.guest.buffers(PIECES - FIRST_PIECES, BUFFER);
      assertEquals(0, receiver.sink.offer(other.burst, 1));
      assertEquals(1, receiver.lan.drops("guest0", "rx0", DropReason.BUFFER_TOO_SMALL));
      assertEquals(0, receiver.sink.offer(begun.burst, 1));
      verifyWhole(receiver);
      receiver.senders.in.frames = 2;
    }
  }

  @Test
  void beginsAnewAfterItWasDroppedWithOthersBesideItInTheBurst() throws Exception {
    try (Receiver receiver = new Receiver();
        Sent begun = Sent.toBeCut()) {
      begun.burst.append(begun.burst.address[0], 60);
      assertEquals(3, receiver.sink.offer(begun.burst, 3));
      receiver.sink.drop(DropReason.NO_BUFFERS, begun.burst, 3);
      assertEquals(FIRST_PIECES, receiver.guest.receiveWithHeaders(0, 0).size());
      receiver.guest.buffers(PIECES, BUFFER);
      assertEquals(0, receiver.sink.offer(begun.burst, 1));
      verifyWhole(receiver);
      receiver.senders.in.frames = 3;
    }
  }
}
