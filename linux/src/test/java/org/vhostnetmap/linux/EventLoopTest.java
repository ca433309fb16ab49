// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.FileNotFoundException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EventLoopTest {
  private EventLoop loop;
  private Fd event;
  private final AtomicInteger calls = new AtomicInteger();

  @BeforeEach
  void start() throws Exception {
    loop = new EventLoop("loop-test");
    event = EventFd.create();
    loop.start();
  }

  @AfterEach
  void stop() {
    loop.close();
    event.close();
  }

  private EventLoop.Registration watch(EventLoop.Handler handler) throws Exception {
    return loop.call(() -> loop.register(event.value(), Epoll.IN, handler));
  }

  private void countAndDrain(int events) {
    EventFd.drain(event.value());
    calls.incrementAndGet();
  }

  private void awaitCalls(int wanted) {
    await().until(() -> calls.get() == wanted);
  }

  @Test
  void runsTheHandlerOfAReadyDescriptor() throws Exception {
    watch(this::countAndDrain);
    EventFd.signal(event.value());
    awaitCalls(1);
    EventFd.signal(event.value());
    awaitCalls(2);
  }

  @Test
  void closedRegistrationHearsNothing() throws Exception {
    EventLoop.Registration registration = watch(this::countAndDrain);
    loop.execute(
        () -> {
          EventFd.signal(event.value());
          registration.close();
          registration.close();
        });
    loop.call(() -> null);
    loop.call(() -> null);
    assertEquals(0, calls.get());
  }

  @Test
  void watchesForWhatItIsToldLater() throws Exception {
    EventLoop.Registration registration = watch(events -> calls.set(events));
    loop.execute(
        () -> {
          try {
            registration.events(Epoll.OUT);
          } catch (ErrnoException e) {
            throw new IllegalStateException(e);
          }
        });
    awaitCalls(Epoll.OUT);
  }

  @Test
  void handlerThatThrowsIsClosedAndOthersGoOn() throws Exception {
    quietly(
        () -> {
          watch(
              events -> {
                calls.incrementAndGet();
                throw new FileNotFoundException("on purpose");
              });
          EventFd.signal(event.value());
          awaitCalls(1);
          assertEquals("alive", loop.call(() -> "alive"));
          assertEquals("alive", loop.call(() -> "alive"));
          assertEquals(1, calls.get());
        });
  }

  @Test
  void taskOrTimerThatThrowsDoesNotStopTheLoop() throws Exception {
    quietly(
        () -> {
          loop.execute(
              () -> {
                throw new StackOverflowError("on purpose");
              });
          loop.call(
              () ->
                  loop.every(
                      Duration.ofMillis(1),
                      () -> {
                        calls.incrementAndGet();
                        throw new IllegalStateException("on purpose");
                      }));
          CountDownLatch later = new CountDownLatch(1);
          loop.call(() -> loop.schedule(Duration.ofMillis(20), later::countDown));
          assertTrue(later.await(10, TimeUnit.SECONDS));
          assertEquals(1, calls.get());
        });
  }

  @Test
  void handlerOfOneRoundMayCloseAnotherOfTheSame() throws Exception {
    try (Fd other = EventFd.create()) {
      List<EventLoop.Registration> both = new ArrayList<>();
      EventLoop.Handler closeBoth =
          events -> {
            calls.incrementAndGet();
            both.forEach(EventLoop.Registration::close);
          };
      loop.call(
          () -> {
            both.add(loop.register(event.value(), Epoll.IN, closeBoth));
            both.add(loop.register(other.value(), Epoll.IN, closeBoth));
            EventFd.signal(event.value());
            return EventFd.signal(other.value());
          });
      awaitCalls(1);
      loop.call(() -> null);
      assertEquals(1, calls.get());
    }
  }

  @Test
  void timersRunInTheOrderOfTheirTimes() throws Exception {
    List<Integer> order = new ArrayList<>();
    CountDownLatch done = new CountDownLatch(3);
    loop.call(
        () -> {
          for (int delay : new int[] {30, 10, 20}) {
            loop.schedule(
                Duration.ofMillis(delay),
                () -> {
                  order.add(delay);
                  done.countDown();
                });
          }
          return null;
        });
    assertTrue(done.await(10, TimeUnit.SECONDS));
    assertEquals(List.of(10, 20, 30), order);
  }

  @Test
  void timerRunsNoEarlierThanItsTime() throws Exception {
    long start = System.nanoTime();
    CompletableFuture<Long> end = new CompletableFuture<>();
    loop.call(() -> loop.schedule(Duration.ofMillis(15), () -> end.complete(System.nanoTime())));
    assertTrue(end.get(10, TimeUnit.SECONDS) - start >= 15_000_000);
  }

  @Test
  void periodicTimerRunsUntilCancelled() throws Exception {
    EventLoop.Timer timer =
        loop.call(() -> loop.every(Duration.ofMillis(1), calls::incrementAndGet));
    await().until(() -> calls.get() >= 3);
    int last =
        loop.call(
            () -> {
              timer.cancel();
              return calls.get();
            });
    CountDownLatch later = new CountDownLatch(1);
    loop.call(() -> loop.schedule(Duration.ofMillis(10), later::countDown));
    assertTrue(later.await(10, TimeUnit.SECONDS));
    assertEquals(last, calls.get());
  }

  @Test
  void periodOfNothingIsRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> loop.call(() -> loop.every(Duration.ZERO, () -> {})));
  }

  @Test
  void taskThatQueuesItselfDoesNotStarveDescriptors() throws Exception {
    watch(this::countAndDrain);
    loop.execute(this::queueAgain);
    EventFd.signal(event.value());
    awaitCalls(1);
  }

  private void queueAgain() {
    loop.execute(this::queueAgain);
  }

  @Test
  void callGivesTheAnswerOrTheException() throws Exception {
    assertEquals("loop-test", loop.call(() -> Thread.currentThread().getName()));
    assertTrue(loop.call(loop::inLoop));
    assertFalse(loop.inLoop());
    assertEquals(1, loop.call(() -> loop.call(() -> 1)));
    assertThrows(
        FileNotFoundException.class,
        () ->
            loop.call(
                () -> {
                  throw new FileNotFoundException("on purpose");
                }));
    ExecutionException error =
        assertThrows(
            ExecutionException.class,
            () ->
                loop.call(
                    () -> {
                      throw new AssertionError("on purpose");
                    }));
    assertInstanceOf(AssertionError.class, error.getCause());
  }

  @Test
  void callersOfAClosedLoopDoNotHang() {
    loop.close();
    assertThrows(CancellationException.class, () -> loop.call(() -> 1));
    loop.execute(calls::incrementAndGet);
    loop.close();
    assertEquals(0, calls.get());
  }

  @Test
  void closeFromInsideAndFromOutsideEndsTheThread() throws Exception {
    Thread thread = loop.call(Thread::currentThread);
    loop.execute(loop::close);
    loop.close();
    assertFalse(thread.isAlive());
  }

  @Test
  void manyThreadsMayCallAtOnceWhileItCloses() throws Exception {
    List<Thread> callers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      callers.add(Thread.ofPlatform().start(this::callUntilClosed));
    }
    await().until(() -> calls.get() > 1000);
    loop.close();
    for (Thread caller : callers) {
      caller.join(10_000);
      assertFalse(caller.isAlive());
    }
  }

  private void callUntilClosed() {
    try {
      while (loop.call(calls::incrementAndGet) > 0) {
        Thread.onSpinWait();
      }
    } catch (CancellationException e) {
      // As it should.
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void strangersMayNotRegister() {
    assertThrows(
        IllegalStateException.class,
        () -> loop.register(event.value(), Epoll.IN, this::countAndDrain));
    assertThrows(
        IllegalStateException.class, () -> loop.schedule(Duration.ZERO, calls::incrementAndGet));
  }

  @Test
  void mayBePreparedBeforeItsStart() throws Exception {
    try (EventLoop prepared = new EventLoop("prepared")) {
      assertEquals(1, prepared.call(() -> 1));
      prepared.register(event.value(), Epoll.IN, this::countAndDrain);
      prepared.schedule(Duration.ZERO, calls::incrementAndGet);
      EventFd.signal(event.value());
      prepared.start();
      awaitCalls(2);
    }
  }

  @Test
  void leavesNothingOpen() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          new EventLoop("never-started").close();
          try (EventLoop started = new EventLoop("started")) {
            started.start();
            started.call(() -> 1);
          }
        });
  }

  private interface Body {
    void run() throws Exception;
  }

  /** Without the stack traces that are made on purpose. */
  private static void quietly(Body body) throws Exception {
    Logger logger = Logger.getLogger(EventLoop.class.getName());
    logger.setLevel(Level.OFF);
    try {
      body.run();
    } finally {
      logger.setLevel(null);
    }
  }
}
