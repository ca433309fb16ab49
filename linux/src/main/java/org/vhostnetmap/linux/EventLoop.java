// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;

/**
 * The control thread: waits for descriptors, timers and tasks, and runs each to its end before the
 * next. Nothing that it runs may wait. A handler, timer or task that throws is logged and (handler,
 * timer) removed; the loop goes on.
 *
 * <p>Until {@link #start} the loop may be used by the thread that made it; afterwards all but
 * {@link #execute}, {@link #call}, {@link #inLoop} and {@link #close} is for code that runs in the
 * loop.
 */
public final class EventLoop implements AutoCloseable {
  private static final Logger LOG = System.getLogger(EventLoop.class.getName());
  private static final int MAX_EVENTS = 64;
  private static final long WAKE_TOKEN = 0;

  private final Epoll epoll;
  private final Fd wake;
  private final Thread thread;
  private final Map<Long, Registration> registrations = new HashMap<>();
  private final TimerQueue timers = new TimerQueue();
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final Object lifeCycle = new Object();
  private long lastToken = WAKE_TOKEN;
  private volatile boolean stopping;
  private boolean released;

  /** Called when a watched descriptor is ready. */
  @FunctionalInterface
  public interface Handler {
    /** {@code events} as in {@link Epoll}; ERR and HUP come unasked. */
    void ready(int events) throws IOException;
  }

  /** Not started yet; the thread will be called {@code threadName}. */
  public EventLoop(String threadName) throws ErrnoException {
    epoll = new Epoll(MAX_EVENTS);
    Fd opened = null;
    try {
      opened = EventFd.create();
      epoll.add(opened.value(), Epoll.IN, WAKE_TOKEN);
    } catch (ErrnoException e) {
      if (opened != null) {
        opened.close();
      }
      epoll.close();
      throw e;
    }
    wake = opened;
    thread = new Thread(this::run, threadName);
  }

  /** Starts the thread. */
  public void start() {
    thread.start();
  }

  /** Whether the caller runs in the loop. */
  public boolean inLoop() {
    return thread.equals(Thread.currentThread());
  }

  /**
   * Has {@code handler} called whenever {@code fd} is ready for one of {@code epollEvents}. The
   * descriptor stays the caller's, who closes the registration before it.
   */
  public Registration register(int fd, int epollEvents, Handler handler) throws ErrnoException {
    requireLoop();
    Registration registration = new Registration(fd, ++lastToken, handler);
    epoll.add(fd, epollEvents, registration.token);
    registrations.put(registration.token, registration);
    return registration;
  }

  /** A descriptor under watch. */
  public final class Registration implements AutoCloseable {
    private final int fd;
    private final long token;
    private final Handler handler;

    private Registration(int fd, long token, Handler handler) {
      this.fd = fd;
      this.token = token;
      this.handler = handler;
    }

    /** Watches for {@code epollEvents} from now on; nothing after close. */
    public void events(int epollEvents) throws ErrnoException {
      requireLoop();
      if (registrations.containsKey(token)) {
        epoll.modify(fd, epollEvents, token);
      }
    }

    /** Ends the watch; the handler is not called again. A second call does nothing. */
    @Override
    public void close() {
      requireLoop();
      if (registrations.remove(token) != null) {
        epoll.remove(fd);
      }
    }
  }

  /** Runs {@code task} once, {@code delay} from now. */
  public Timer schedule(Duration delay, Runnable task) {
    return add(delay, 0, task);
  }

  /**
   * Runs {@code task} again and again, first after one {@code period}; rounds that could not be
   * kept are left out.
   */
  public Timer every(Duration period, Runnable task) {
    if (period.isZero() || period.isNegative()) {
      throw new IllegalArgumentException("period " + period);
    }
    return add(period, period.toNanos(), task);
  }

  private Timer add(Duration delay, long periodNanos, Runnable task) {
    requireLoop();
    return timers.add(System.nanoTime() + delay.toNanos(), periodNanos, task);
  }

  /** A task that waits for its time. */
  public interface Timer {
    /** The task is not run again. To be called in the loop. */
    void cancel();
  }

  /**
   * Runs {@code task} in the loop, after what is queued already. From any thread; after close it is
   * forgotten.
   */
  public void execute(Runnable task) {
    enqueue(task);
  }

  /**
   * False when the loop has ended. The lock keeps a task from slipping in after the last look at
   * the queue.
   */
  private boolean enqueue(Runnable task) {
    synchronized (lifeCycle) {
      if (released) {
        return false;
      }
      tasks.add(task);
      if (!inLoop()) {
        EventFd.signal(wake.value());
      }
      return true;
    }
  }

  /**
   * Runs {@code task} in the loop and waits for its answer or exception; at once when called in the
   * loop, or before its start.
   *
   * @throws CancellationException when the loop was closed before
   */
  public <T> T call(Callable<T> task) throws Exception {
    if (inLoop() || (thread.getState() == Thread.State.NEW && !stopping)) {
      return task.call();
    }
    CompletableFuture<T> answer = new CompletableFuture<>();
    if (!enqueue(new Call<>(task, answer))) {
      throw new CancellationException("the loop " + thread.getName() + " has ended");
    }
    try {
      return answer.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    }
  }

  private record Call<T>(Callable<T> task, CompletableFuture<T> answer) implements Runnable {
    @Override
    @SuppressWarnings("CatchingUnchecked") // whatever it is, the waiting thread gets it
    public void run() {
      try {
        answer.complete(task.call());
      } catch (Throwable e) {
        answer.completeExceptionally(e);
      }
    }
  }

  /**
   * Stops the loop and waits until its thread has ended, unless called in the loop. Queued tasks
   * are not run.
   */
  @Override
  public void close() {
    stopping = true;
    enqueue(() -> {});
    if (thread.getState() == Thread.State.NEW) {
      release();
    } else if (!inLoop()) {
      joinThread();
    }
  }

  private void joinThread() {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void requireLoop() {
    if (!inLoop() && thread.isAlive()) {
      throw new IllegalStateException("to be called in the thread " + thread.getName());
    }
  }

  private void run() {
    try {
      while (!stopping) {
        try {
          runOnce();
        } catch (Throwable e) {
          // Out of memory in the loop's own bookkeeping: the next round may have some.
          LOG.log(Level.ERROR, "the loop goes on after", e);
        }
      }
    } finally {
      release();
    }
  }

  private void runOnce() {
    int ready = epoll.await(tasks.isEmpty() ? timers.millisToNext() : 0);
    for (int i = 0; i < ready && !stopping; i++) {
      dispatch(epoll.token(i), epoll.events(i));
    }
    timers.runDue(() -> stopping);
    runTasks();
  }

  private void release() {
    synchronized (lifeCycle) {
      released = true;
      wake.close();
      epoll.close();
    }
    forgetTasks();
  }

  private void forgetTasks() {
    for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
      if (task instanceof Call<?> call) {
        call.answer.cancel(false);
      }
    }
  }

  private void dispatch(long token, int events) {
    if (token == WAKE_TOKEN) {
      EventFd.drain(wake.value());
      return;
    }
    // Gone when an earlier handler of this round closed it.
    Registration registration = registrations.get(token);
    if (registration == null) {
      return;
    }
    try {
      registration.handler.ready(events);
    } catch (Throwable e) {
      LOG.log(Level.ERROR, "handler of fd " + registration.fd + " failed; no longer watched", e);
      registration.close();
    }
  }

  /** Only what is queued now: a task that queues itself again must not starve the descriptors. */
  private void runTasks() {
    for (int left = tasks.size(); left > 0 && !stopping; left--) {
      Runnable task = tasks.poll();
      if (task == null) {
        return;
      }
      try {
        task.run();
      } catch (Throwable e) {
        LOG.log(Level.ERROR, "task failed", e);
      }
    }
  }
}
