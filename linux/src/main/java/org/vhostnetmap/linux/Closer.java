// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Closes the descriptors that one stranger gave us, in a thread of its own, because he decides how
 * long that takes: a TCP socket that lingers over unsent data, a file system of his that does not
 * answer. The thread exists only while there is something to close. Any thread.
 */
public final class Closer {
  /** With more than this many waiting no more should be taken from him. */
  public static final int MOST = 1024;

  private final AtomicInteger waiting = new AtomicInteger();
  private final ThreadPoolExecutor thread;

  /** {@code name} is the thread's. */
  public Closer(String name) {
    thread =
        new ThreadPoolExecutor(
            0,
            1,
            1,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Thread.ofPlatform().daemon().name(name).factory());
  }

  /** Whether more waits than anybody brings who means well. */
  public boolean isFull() {
    return waiting.get() > MOST;
  }

  /** Runs {@code close} soon. */
  void run(Runnable close) {
    waiting.incrementAndGet();
    thread.execute(
        () -> {
          try {
            close.run();
          } finally {
            waiting.decrementAndGet();
          }
        });
  }
}
