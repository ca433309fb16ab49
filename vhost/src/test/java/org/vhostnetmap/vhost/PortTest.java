// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.u64;
import static org.vhostnetmap.fakes.FrontendWire.REQUEST;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.fakes.Descriptors;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.fakes.FrontendWire;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.linux.UnixListener;

/** Front-ends come and go: one at a time, late, dead, slow, or never again. */
class PortTest {
  private static final Duration SOON = Duration.ofMillis(100);

  private TestPort port;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(1);
  }

  @AfterEach
  void close() throws IOException {
    port.close();
  }

  @Test
  void turnsASecondFrontEndAwayAndServesTheFirstOn() throws IOException {
    try (FakeFrontend first = port.frontend().bringUp(1);
        FrontendWire second = port.wire()) {
      assertTrue(second.hungUp());
      first.barrier();
      assertEquals(List.of(0, 1), port.plane.running());
      assertEquals(1, port.status().counters().refusedFrontends());
    }
  }

  @Test
  void aNewFrontEndTakesThePlaceOfADeadOneAtOnce() throws IOException {
    for (int i = 0; i < 50; i++) {
      try (FakeFrontend qemu = port.frontend().bringUp(1)) {
        assertTrue(qemu.features() != 0);
      }
    }
    assertEquals(0, port.status().counters().refusedFrontends());
    assertEquals(50, port.status().counters().frontends());
  }

  @Test
  void aDeadFrontEndKeepsNoPlaceByWhatItLeftUnread() throws IOException {
    byte[] questions = new byte[12 * 1000];
    for (int i = 0; i < questions.length; i += 12) {
      System.arraycopy(FrontendWire.message(3, REQUEST, new byte[0]), 0, questions, i, 12);
    }
    for (int i = 0; i < 20; i++) {
      try (FrontendWire first = port.wire()) {
        first.sendBytes(questions);
      }
      try (FrontendWire second = port.wire()) {
        second.send(1, REQUEST, new byte[0]);
        second.receiveU64(1);
      }
    }
    assertEquals(0, port.status().counters().refusedFrontends());
  }

  @Test
  void closesWhatItCannotAdopt() throws IOException {
    Fd event = EventFd.create();
    assertThrows(
        ErrnoException.class,
        () -> VhostUserBackend.adopt(port.loop, event, Offer.net(1, false), port.plane));
    assertFalse(event.isOpen());
    EventLoop ended = new EventLoop("ended");
    ended.start();
    ended.close();
    UnixConnection[] pair = UnixConnection.pair();
    Fd taken = Fd.duplicate(pair[0].fd());
    pair[0].close();
    assertThrows(
        CancellationException.class,
        () -> VhostUserBackend.adopt(ended, taken, Offer.net(1, false), port.plane));
    try (FrontendWire other = new FrontendWire(pair[1])) {
      assertTrue(other.hungUp());
    }
  }

  @Test
  void aHalfMessageDelaysNobodyElse() throws IOException {
    RecordingPlane other = new RecordingPlane();
    UnixConnection[] pair = UnixConnection.pair();
    try (VhostUserBackend slow = port.adopt(pair[0], other, SOON);
        FrontendWire half = new FrontendWire(pair[1])) {
      half.sendBytes(new byte[] {1, 0, 0});
      long start = System.nanoTime();
      try (FakeFrontend qemu = port.frontend().bringUp(1)) {
        assertEquals(List.of(0, 1), port.plane.running());
        assertTrue(qemu.features() != 0);
      }
      assertTrue(System.nanoTime() - start < 2_000_000_000L);
      assertTrue(half.hungUp());
      assertEquals(1, slow.status().counters().protocolFaults());
      assertEquals(
          "front-end dropped: message was not finished in time", slow.status().lastTrouble());
    }
  }

  @Test
  void aMessageInPiecesIsServedWhenItIsWhole() throws IOException {
    try (FrontendWire wire = port.wire()) {
      byte[] message = FrontendWire.message(40, REQUEST, new byte[0]);
      byte[] status = FrontendWire.message(39, REQUEST, u64(0x0b));
      for (byte[] whole : List.of(status, message)) {
        for (byte piece : whole) {
          wire.sendBytes(new byte[] {piece});
          port.status();
        }
      }
      assertEquals(0x0b, wire.receiveU64(40));
    }
  }

  @Test
  void laterBytesDoNotProlongAMessagesTime() throws IOException {
    UnixConnection[] pair = UnixConnection.pair();
    try (VhostUserBackend slow = port.adopt(pair[0], new RecordingPlane(), SOON);
        FrontendWire dribble = new FrontendWire(pair[1])) {
      // The longest there is: seconds at this pace, so that a busy machine changes nothing.
      byte[] message = FrontendWire.message(5, REQUEST, new byte[264]);
      int sent = 0;
      long start = System.nanoTime();
      while (sent < message.length && !dribble.hasInput(15)) {
        dribble.sendBytes(new byte[] {message[sent++]});
      }
      assertTrue(
          sent < message.length,
          "dropped before the end, after " + (System.nanoTime() - start) + " ns");
      assertTrue(slow.ended().isDone() || dribble.hungUp());
    }
  }

  @Test
  void whoNeverReadsIsDroppedAndDelaysNobody() throws IOException {
    UnixConnection[] pair = UnixConnection.pair();
    try (VhostUserBackend deaf = port.adopt(pair[0], new RecordingPlane(), SOON);
        FrontendWire wire = new FrontendWire(pair[1])) {
      byte[] questions = new byte[12 * 1000];
      for (int i = 0; i < questions.length; i += 12) {
        System.arraycopy(FrontendWire.message(1, REQUEST, new byte[0]), 0, questions, i, 12);
      }
      long end = System.nanoTime() + 10_000_000_000L;
      try {
        while (!deaf.ended().isDone() && System.nanoTime() < end) {
          wire.sendSome(questions);
          port.status();
        }
      } catch (IOException e) {
        // Gone, as it should be.
      }
      Waiting.until(() -> deaf.ended().isDone());
      assertEquals("front-end dropped: reply was not taken in time", deaf.status().lastTrouble());
    }
  }

  @Test
  void connectsAsSoonAsSomebodyListensAndAgainAfterwards(@TempDir Path directory)
      throws IOException {
    Path path = directory.resolve("frontend.sock");
    RecordingPlane plane = new RecordingPlane();
    try (VhostUserBackend backend =
        VhostUserBackend.connect(port.loop, path, Offer.net(1, false), plane)) {
      assertEquals("connecting to " + path, backend.status().text());
      for (int life = 1; life <= 2; life++) {
        try (UnixListener qemuListens = UnixListener.bind(path, 0600, null)) {
          try (FakeFrontend qemu = new FakeFrontend(accept(qemuListens), 2, 256)) {
            qemu.bringUp(1);
            assertEquals(List.of(0, 1), plane.running());
          }
        }
        Waiting.until(() -> backend.status().state() == BackendStatus.State.WAITING);
      }
    }
  }

  private static UnixConnection accept(UnixListener listener) throws IOException {
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(listener.fd(), Epoll.IN, 1);
      assertEquals(1, epoll.await(5000));
      return Objects.requireNonNull(listener.accept());
    }
  }

  @Test
  void adoptsASocketThatListens(@TempDir Path directory) throws IOException {
    Path path = directory.resolve("adopted.sock");
    RecordingPlane plane = new RecordingPlane();
    try (UnixListener bound = UnixListener.bind(path, 0600, null);
        VhostUserBackend backend =
            VhostUserBackend.adopt(
                port.loop, Fd.duplicate(bound.fd()), Offer.net(1, false), plane);
        FakeFrontend qemu = FakeFrontend.connect(path)) {
      qemu.bringUp(1);
      assertEquals("guest driver up", backend.status().text());
    }
  }

  @Test
  void anAdoptedConnectionIsServedOnce() throws IOException {
    UnixConnection[] pair = UnixConnection.pair();
    try (VhostUserBackend backend = port.adopt(pair[0], new RecordingPlane(), SOON)) {
      try (FakeFrontend qemu = new FakeFrontend(pair[1], 2, 256)) {
        qemu.bringUp(1);
        assertFalse(backend.ended().isDone());
      }
      Waiting.until(() -> backend.ended().isDone());
      assertEquals(BackendStatus.State.ENDED, backend.status().state());
    }
  }

  @Test
  void closingGivesEverythingBackWhileTheRingsRun() throws IOException {
    int before;
    try (FakeFrontend qemu = port.frontend()) {
      before = Descriptors.count();
      qemu.bringUp(1);
      port.backend.close();
      assertTrue(qemu.wire().hungUp());
      assertEquals(List.of(), port.plane.running());
    }
    // Fewer now: the front-end's socket and memory, the back-end's end and its listener.
    assertTrue(Descriptors.count() < before);
    assertEquals("closed", port.status().text());
  }

  @Test
  void theOfferIsTheSameForEveryFrontEnd() throws IOException {
    long[] first = offers();
    for (int i = 0; i < 3; i++) {
      org.junit.jupiter.api.Assertions.assertArrayEquals(first, offers());
    }
  }

  private long[] offers() throws IOException {
    try (FakeFrontend qemu = port.frontend()) {
      qemu.wanting(1L << 30);
      qemu.bringUp(1);
      return new long[] {qemu.ask(1), qemu.ask(15), qemu.ask(36)};
    }
  }
}
