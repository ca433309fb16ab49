// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.vhostnetmap.linux.libc.Native;

/**
 * Frees threads that are stuck in {@link EventFd#signal}. An eventfd that we were given is an open
 * file shared with whoever gave it: he can make it blocking and fill its counter, and no flag of
 * one write prevents that. But we can read what he filled in; and a socket (user-mode Linux's call
 * descriptor) can be shut. A thread of its own looks ten times a second, because any other could be
 * the one that is stuck.
 */
final class SignalWatch {
  private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long RETRY_NANOS = TimeUnit.MICROSECONDS.toNanos(100);
  private static final int RETRIES = 10_000;
  private static final int NONE = -1;
  private static final int SHUT_WRITE = 1;

  private static final List<Slot> SLOTS = new CopyOnWriteArrayList<>();
  private static final ThreadLocal<Slot> MINE = ThreadLocal.withInitial(SignalWatch::newSlot);

  static {
    Thread watch = new Thread(SignalWatch::run, "signal-watch");
    watch.setDaemon(true);
    watch.start();
  }

  private SignalWatch() {}

  /** What one thread is signalling. */
  static final class Slot {
    private final Thread owner = Thread.currentThread();
    private volatile int fd = NONE;
    private long signals; // before this one
    private volatile boolean freed;

    // The watch's memory of its last look.
    private int seenFd = NONE;
    private long seenSignals;

    /** True unless the watch had to free us. */
    boolean leave() {
      signals++;
      fd = NONE;
      if (freed) {
        freed = false;
        return false;
      }
      return true;
    }

    private boolean isStuck() {
      int now = fd;
      boolean same = now != NONE && now == seenFd && signals == seenSignals;
      seenFd = now;
      seenSignals = signals;
      return same;
    }

    private void free() {
      int stuckAt = fd;
      if (stuckAt != NONE) {
        freed = true;
        Native.C.shutdown(stuckAt, SHUT_WRITE); // of no effect on anything but a socket
      }
      for (int i = 0; i < RETRIES && stuckAt != NONE && fd == stuckAt; i++) {
        freed = true;
        EventFd.drain(stuckAt);
        LockSupport.parkNanos(RETRY_NANOS);
      }
    }
  }

  private static Slot newSlot() {
    Slot slot = new Slot();
    SLOTS.removeIf(other -> !other.owner.isAlive());
    SLOTS.add(slot);
    return slot;
  }

  static Slot enter(int fd) {
    Slot slot = MINE.get();
    slot.fd = fd;
    return slot;
  }

  private static void run() {
    while (true) {
      LockSupport.parkNanos(PERIOD_NANOS);
      for (Slot slot : SLOTS) {
        if (slot.isStuck()) {
          slot.free();
        }
      }
    }
  }
}
