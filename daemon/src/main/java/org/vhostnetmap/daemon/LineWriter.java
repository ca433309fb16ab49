// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Lines on their way to a stream that may block: one thread writes them, one write per line, and
 * {@link #write} never waits for it. What comes while {@link #CAPACITY} lines wait is lost; where
 * lines are missing, one tells how many. Any thread.
 */
final class LineWriter {
  static final int CAPACITY = 1024;

  private final OutputStream to;
  private final LongFunction<String> lossLine;
  private final Deque<String> lines = new ArrayDeque<>();
  private long lost;
  private boolean writing;
  private @Nullable Thread thread;

  /** {@code lossLine} makes the line that stands for so many lost ones. */
  LineWriter(OutputStream to, LongFunction<String> lossLine) {
    this.to = to;
    this.lossLine = lossLine;
  }

  /** Queues {@code line}, which ends with its line feed. */
  synchronized void write(String line) {
    if (lines.size() >= CAPACITY) {
      lost++;
      return;
    }
    tellLoss();
    lines.add(line);
    if (thread == null) {
      thread = new Thread(this::run, "log");
      thread.setDaemon(true);
      thread.start();
    }
    notifyAll();
  }

  /** Waits until all is written, but no longer than {@code patience}; whether it is. */
  synchronized boolean flush(Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    try {
      while (writing || lost > 0 || !lines.isEmpty()) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return false;
        }
        wait(left);
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void run() {
    try {
      while (true) {
        byte[] line = next().getBytes(StandardCharsets.UTF_8);
        try {
          to.write(line);
        } catch (IOException e) {
          // Nobody reads our messages any more; there is no other place to say so.
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // nobody does
    }
  }

  private synchronized String next() throws InterruptedException {
    writing = false;
    notifyAll();
    while (lines.isEmpty() && lost == 0) {
      wait();
    }
    if (lines.isEmpty()) {
      tellLoss();
    }
    writing = true;
    return lines.remove();
  }

  private void tellLoss() {
    if (lost > 0) {
      lines.add(lossLine.apply(lost));
      lost = 0;
    }
  }
}
