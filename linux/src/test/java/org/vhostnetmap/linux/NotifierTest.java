// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.libc.Native;

class NotifierTest {
  private static final int F_SETFL = 4;

  /** The far ends of one kind of descriptor. */
  private interface Ends {
    void with(Fd toSignal, Fd toWatch) throws Exception;
  }

  private static void eachKind(Ends test) throws Exception {
    Fd event = EventFd.create();
    test.with(event, event.duplicate());
    Pipe pipe = Pipe.open();
    test.with(pipe.writer(), pipe.reader());
    UnixConnection[] pair = UnixConnection.pair();
    test.with(Fd.duplicate(pair[0].fd()), Fd.duplicate(pair[1].fd()));
    pair[0].close();
    pair[1].close();
  }

  @Test
  void wakesTheOtherSideAndIsDrained() throws Exception {
    eachKind(
        (toSignal, toWatch) -> {
          try (Notifier signalled = Notifier.of(toSignal, true);
              Notifier woken = Notifier.of(toWatch, false);
              Epoll epoll = new Epoll(1)) {
            epoll.add(woken.fd(), Epoll.IN, 1);
            assertEquals(0, epoll.await(0));
            assertTrue(signalled.signal());
            assertEquals(1, epoll.await(0));
            woken.drain();
            assertEquals(0, epoll.await(0));
          }
        });
  }

  @Test
  void neverWaitsThoughTheGiverMakesItBlocking() throws Exception {
    eachKind(
        (toSignal, toWatch) -> {
          try (Fd giversSignal = toSignal.duplicate();
              Fd giversWatch = toWatch.duplicate();
              Notifier signalled = Notifier.of(toSignal, true);
              Notifier woken = Notifier.of(toWatch, false)) {
            assertEquals(0, Native.C.fcntl(giversSignal.value(), F_SETFL, 0));
            assertEquals(0, Native.C.fcntl(giversWatch.value(), F_SETFL, 0));
            assertTimeout(
                Duration.ofSeconds(10),
                () -> {
                  for (int i = 0; i < 50_000; i++) {
                    assertTrue(signalled.signal());
                  }
                  for (int i = 0; i < 10_000; i++) {
                    woken.drain();
                  }
                });
          }
        });
  }

  @Test
  void tellsWhoMadeItWait() throws Exception {
    Fd event = EventFd.create();
    try (Fd givers = event.duplicate();
        Notifier notifier = Notifier.of(event, true)) {
      assertTrue(notifier.signal());
      assertFalse(notifier.madeUsWait());
      fill(givers);
      assertFalse(assertTimeout(Duration.ofSeconds(5), notifier::signal));
      assertTrue(notifier.madeUsWait());
    }
  }

  /** Blocking, and as full as an eventfd can be. */
  private static void fill(Fd event) throws Exception {
    EventFd.drain(event.value());
    assertEquals(0, Native.C.fcntl(event.value(), F_SETFL, 0));
    try (Mapping page = Mapping.anonymous(4096)) {
      Memory.putLong(page.address(), -2);
      assertEquals(8, Native.C.write(event.value(), page.address(), 8));
    }
  }

  @Test
  void becomesAnotherEventfdInPlace() throws Exception {
    Fd second = EventFd.create();
    try (Fd watched = second.duplicate();
        Notifier notifier = Notifier.of(EventFd.create(), true);
        Epoll epoll = new Epoll(1)) {
      epoll.add(watched.value(), Epoll.IN, 1);
      int number = notifier.fd();
      assertTrue(notifier.becomes(Notifier.of(second, true)));
      assertEquals(number, notifier.fd());
      assertTrue(notifier.signal());
      assertEquals(1, epoll.await(0));
    }
  }

  @Test
  void becomesNothingOfAnotherKind() throws Exception {
    Pipe pipe = Pipe.open();
    try (Fd reader = pipe.reader();
        Notifier notifier = Notifier.of(EventFd.create(), true);
        Notifier other = Notifier.of(pipe.writer(), true)) {
      assertTrue(reader.isOpen());
      assertFalse(notifier.becomes(other));
      assertFalse(other.becomes(notifier));
      assertTrue(notifier.signal() && other.signal());
    }
  }

  /** Its file is behind no number of ours any more, and still who is stuck in it comes out. */
  @Test
  void freesWhoIsStuckInTheOneThatWasReplaced() throws Exception {
    Fd event = EventFd.create();
    try (Fd givers = event.duplicate();
        Notifier notifier = Notifier.of(event, true)) {
      fill(givers);
      CompletableFuture<Boolean> signal = new CompletableFuture<>();
      Thread stuck = Thread.ofPlatform().daemon().start(() -> signal.complete(notifier.signal()));
      Awaitility.await().until(() -> isInWrite(stuck, signal));
      assertTrue(notifier.becomes(Notifier.of(EventFd.create(), true)));
      assertFalse(signal.get(10, TimeUnit.SECONDS));
      assertTrue(notifier.signal(), "the new one is innocent");
    }
  }

  /** It has begun and does not end: near enough, the watch takes at least 100 ms. */
  private static boolean isInWrite(Thread thread, CompletableFuture<Boolean> signal) {
    return signal.isDone()
        || Arrays.stream(thread.getStackTrace())
            .anyMatch(frame -> frame.getMethodName().equals("signalOrError"));
  }

  @Test
  void refusesWhatCannotWakeAnybodyAndClosesIt() throws Exception {
    Fd file = SharedFile.create("no-notifier", 4096);
    int number = file.value();
    assertThrows(ErrnoException.class, () -> Notifier.of(file, true));
    assertFalse(file.isOpen());
    assertThrows(ErrnoException.class, () -> FileStatus.of(number));
  }
}
