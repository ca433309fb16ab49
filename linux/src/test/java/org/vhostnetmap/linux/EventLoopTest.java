// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EventLoopTest {
  @Test
  void runsHandlersTimersAndTasks() throws Exception {
    CountDownLatch handled = new CountDownLatch(1);
    CountDownLatch timed = new CountDownLatch(3);
    try (Fd event = EventFd.create();
        EventLoop loop = new EventLoop("loop-test")) {
      loop.register(
          event.value(),
          Epoll.IN,
          events -> {
            EventFd.drain(event.value());
            handled.countDown();
          });
      loop.start();
      assertEquals(42, loop.call(() -> 42));
      loop.execute(() -> loop.every(Duration.ofMillis(1), timed::countDown));
      EventFd.signal(event.value());
      assertTrue(handled.await(5, TimeUnit.SECONDS));
      assertTrue(timed.await(5, TimeUnit.SECONDS));
    }
  }
}
