// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Frees threads that are stuck in {@link EventFd#signal}. An eventfd that we were given is an open
 * file shared with whoever gave it: he can make it blocking and fill its counter, and no flag of
 * one write prevents that. But we can read what he filled in. A thread of its own looks ten times a
 * second, because any other could be the one that is stuck; while nobody signals it sleeps.
 *
 * <p>Being in the same signal at two looks proves nothing, on a busy machine a thread may be kept
 * from the processor for that long. Only a descriptor that can't be written is blamed.
 */
final class SignalWatch {
  private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long RETRY_NANOS = TimeUnit.MICROSECONDS.toNanos(100);
  private static final int RETRIES = 10_000;
  private static final int NONE = -1;

  private static final Queue<Left> LEFT = new ConcurrentLinkedQueue<>();
  private static final ThreadLocal<Slot> MINE = ThreadLocal.withInitial(SignalWatch::newSlot);
  private static final Thread WATCH = new Thread(SignalWatch::run, "signal-watch");

  /**
   * Of all threads that signalled; those that ended go when another comes. Never changed in place.
   */
  private static volatile Slot[] slots = {};

  private static volatile boolean asleep;

  static {
    WATCH.setDaemon(true);
    WATCH.start();
  }

  private SignalWatch() {}

  /** What one thread is signalling. */
  static final class Slot {
    private final Thread owner = Thread.currentThread();
    private volatile int fd = NONE;
    private long count; // the owner's
    private volatile long signal; // number of this one, or the last
    private volatile long freed; // number of the last one that the watch ended

    // The watch's memory of its last look.
    private long seen;

    private void begin(int descriptor) {
      signal = ++count;
      fd = descriptor;
    }

    /** True unless the watch had to free us. */
    boolean leave() {
      fd = NONE;
      return freed != signal;
    }

    /** Whether the thread is still in its {@code number}-th signal. */
    private boolean isIn(long number) {
      return fd != NONE && signal == number;
    }

    /** Whether the thread is where it was at the last look. */
    private boolean isStuck() {
      long now = signal;
      boolean same = now == seen && isIn(now);
      seen = now;
      return same;
    }

    private boolean wasBusy() {
      return fd != NONE || signal != seen;
    }

    private void free() {
      long number = signal;
      int stuckAt = fd;
      if (stuckAt == NONE) {
        return;
      }
      // A descriptor of our own: the number may be closed, and be another file's, at any moment
      // after the thread has left.
      int ours = Fd.duplicateOrNegative(stuckAt);
      if (ours >= 0) {
        try (Fd file = new Fd(ours)) {
          free(number, file);
        }
      }
    }

    /** Reads {@code file} until it can be written and the thread is out. */
    private void free(long number, Fd file) {
      if (!isIn(number) || !Sockets.isFull(file.value())) {
        return;
      }
      for (int i = 0; i < RETRIES && isIn(number); i++) {
        if (Sockets.isFull(file.value())) {
          freed = number;
          EventFd.drain(file.value());
        }
        LockSupport.parkNanos(RETRY_NANOS);
      }
    }
  }

  /** A file whose number became another file's while {@code slot} was perhaps writing to it. */
  private record Left(Slot slot, long number, Fd file) {}

  /**
   * {@code file} was behind the number {@code fd} until just now; whoever is stuck in it is freed.
   * Takes it over.
   */
  static void replaced(int fd, Fd file) {
    // Either a thread that is about to write sees the new file, or we see here that it writes.
    VarHandle.fullFence();
    for (Slot slot : slots) {
      long number = slot.signal;
      if (slot.fd == fd) {
        Fd ours = copy(file);
        if (ours != null) {
          LEFT.add(new Left(slot, number, ours));
        }
      }
    }
    file.close();
  }

  private static @Nullable Fd copy(Fd file) {
    int fd = Fd.duplicateOrNegative(file.value());
    return fd < 0 ? null : new Fd(fd);
  }

  private static Slot newSlot() {
    Slot slot = new Slot();
    synchronized (SignalWatch.class) {
      Slot[] longer = Arrays.copyOf(slots, slots.length + 1);
      longer[slots.length] = slot;
      slots = Arrays.stream(longer).filter(each -> each.owner.isAlive()).toArray(Slot[]::new);
    }
    return slot;
  }

  static Slot enter(int fd) {
    Slot slot = MINE.get();
    slot.begin(fd);
    if (asleep) {
      asleep = false;
      LockSupport.unpark(WATCH);
    }
    return slot;
  }

  private static void run() {
    while (true) {
      LockSupport.parkNanos(PERIOD_NANOS);
      if (!wasBusy() && LEFT.isEmpty()) {
        sleep();
      }
      freeFromReplaced();
      for (Slot slot : slots) {
        if (slot.isStuck()) {
          slot.free();
        }
      }
    }
  }

  /**
   * Whether anybody signalled since the last look. A plain loop: this runs ten times a second,
   * mostly in the interpreter, on a processor that a worker may need.
   */
  private static boolean wasBusy() {
    for (Slot slot : slots) {
      if (slot.wasBusy()) {
        return true;
      }
    }
    return false;
  }

  private static void freeFromReplaced() {
    for (Left left = LEFT.poll(); left != null; left = LEFT.poll()) {
      try (Fd file = left.file) {
        left.slot.free(left.number, file);
      }
    }
  }

  /** Until somebody signals. */
  private static void sleep() {
    asleep = true; // before the look: who enters after it sees this
    while (asleep && !wasBusy()) {
      LockSupport.park();
    }
    asleep = false;
  }
}
