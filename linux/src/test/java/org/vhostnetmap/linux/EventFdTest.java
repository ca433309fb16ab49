// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

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
}
