// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
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
  void refusesWhatCannotWakeAnybodyAndClosesIt() throws Exception {
    Fd file = SharedFile.create("no-notifier", 4096);
    int number = file.value();
    assertThrows(ErrnoException.class, () -> Notifier.of(file, true));
    assertFalse(file.isOpen());
    assertThrows(ErrnoException.class, () -> FileStatus.of(number));
  }
}
