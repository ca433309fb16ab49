// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.libc.Native;

class EventFdTest {
  @Test
  void signalsMakeReadyUntilDrained() throws Exception {
    try (Fd event = EventFd.create();
        Epoll epoll = new Epoll(1)) {
      epoll.add(event.value(), Epoll.IN, 1);
      assertEquals(0, epoll.await(0));
      assertTrue(EventFd.signal(event.value()));
      assertTrue(EventFd.signal(event.value()));
      assertEquals(1, epoll.await(0));
      EventFd.drain(event.value());
      assertEquals(0, epoll.await(0));
    }
  }

  @Test
  void worksOnPipesAndTakesAFullOneForDone() throws Exception {
    try (Pipe pipe = Pipe.open();
        Epoll epoll = new Epoll(1)) {
      epoll.add(pipe.reader().value(), Epoll.IN, 1);
      for (int i = 0; i < 20_000; i++) {
        assertTrue(EventFd.signal(pipe.writer().value()));
      }
      assertEquals(1, epoll.await(0));
      EventFd.drain(pipe.reader().value());
      EventFd.drain(pipe.reader().value());
      assertEquals(0, epoll.await(0));
    }
  }

  @Test
  void saysWhenNobodyIsThereToWake() throws Exception {
    try (Pipe pipe = Pipe.open()) {
      pipe.reader().close();
      assertFalse(EventFd.signal(pipe.writer().value()));
    }
    Fd closed = EventFd.create();
    closed.close();
    assertFalse(EventFd.signal(closed.value()));
    EventFd.drain(closed.value());
  }

  @Test
  void isFreedWhenTheOtherSideMakesItWait() throws Exception {
    try (Fd event = EventFd.create();
        Mapping page = Mapping.anonymous(4096)) {
      makeBlocking(event);
      Memory.putLong(page.address(), -2); // the largest count an eventfd holds
      assertEquals(8, Native.C.write(event.value(), page.address(), 8));
      boolean usable = assertTimeout(Duration.ofSeconds(5), () -> EventFd.signal(event.value()));
      assertFalse(usable, "a descriptor that made us wait was called usable");
      EventFd.drain(event.value());
      assertTrue(EventFd.signal(event.value()), "the watch blamed an innocent descriptor");
    }
  }

  /** Many threads on few processors: each is often kept from running in the middle of a signal. */
  @Test
  void nobodyIsBlamedForBeingSlow() throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    List<Thread> busy = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      busy.add(Thread.ofPlatform().daemon().start(() -> spinUntil(over)));
    }
    try (Fd event = EventFd.create()) {
      int blamed = 0;
      long end = System.nanoTime() + 5_000_000_000L;
      while (System.nanoTime() < end) {
        blamed += EventFd.signal(event.value()) ? 0 : 1;
      }
      assertEquals(0, blamed);
    } finally {
      over.set(true);
      for (Thread thread : busy) {
        thread.join();
      }
    }
  }

  private static void spinUntil(AtomicBoolean over) {
    while (!over.get()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void drainsNeverWait() throws Exception {
    try (Fd event = EventFd.create();
        Pipe pipe = Pipe.open()) {
      makeBlocking(event);
      makeBlocking(pipe.reader());
      assertTimeout(
          Duration.ofSeconds(5),
          () -> {
            EventFd.drain(event.value());
            EventFd.drain(pipe.reader().value());
          });
    }
  }

  @Test
  void aPipeOpenedAnewCannotBeMadeToWait() throws Exception {
    try (Pipe pipe = Pipe.open();
        Fd ours = Fd.reopenPipe(pipe.writer().value(), true)) {
      makeBlocking(pipe.writer());
      assertTimeout(
          Duration.ofSeconds(5),
          () -> {
            for (int i = 0; i < 20_000; i++) {
              assertTrue(EventFd.signal(ours.value()));
            }
          });
    }
  }

  private static void makeBlocking(Fd fd) {
    int setFlags = 4; // F_SETFL
    assertEquals(0, Native.C.fcntl(fd.value(), setFlags, 0));
  }
}
