// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import org.vhostnetmap.linux.libc.Native;

/**
 * Waits for many descriptors. {@link #await}, {@link #token} and {@link #events} belong to one
 * thread; the others may be called from any. Close only after that thread has left {@code await}.
 */
public final class Epoll implements AutoCloseable {
  public static final int IN = 0x1;
  public static final int OUT = 0x4;
  public static final int ERR = 0x8;
  public static final int HUP = 0x10;
  public static final int EDGE = 1 << 31;

  private static final int EPOLL_CLOEXEC = 0x80000;
  private static final int CTL_ADD = 1;
  private static final int CTL_DEL = 2;
  private static final int CTL_MOD = 3;

  /**
   * {@code struct epoll_event} is packed on x86-64 and nowhere else:
   * include/uapi/linux/eventpoll.h.
   */
  private static final int EVENT_BYTES =
      System.getProperty("os.arch", "").equals("amd64") ? 12 : 16;

  private static final int TOKEN_OFFSET = EVENT_BYTES - 8;

  /** Cleared when the C library, or the kernel, turns out to have no epoll_pwait2. */
  private static volatile boolean microseconds = true;

  private final Fd epoll;
  private final int maxEvents;
  private final Mapping memory;
  private final long ready;
  private final long change;
  private final long timespec;

  /** At most {@code maxEvents} are told by one await. */
  public Epoll(int maxEvents) throws ErrnoException {
    int fd = Native.C.epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
      throw new ErrnoException("epoll_create1", Native.errno());
    }
    epoll = new Fd(fd);
    this.maxEvents = maxEvents;
    try {
      memory = Mapping.anonymous(32 + (long) maxEvents * EVENT_BYTES);
    } catch (ErrnoException e) {
      epoll.close();
      throw e;
    }
    change = memory.address();
    timespec = change + 16;
    ready = change + 32;
  }

  /**
   * Readable while something watched is ready, so that another one can watch this; -1 if closed.
   */
  public int fd() {
    return epoll.value();
  }

  /** Watches {@code fd} for {@code events}; {@code token} comes back with each. */
  public void add(int fd, int events, long token) throws ErrnoException {
    control(CTL_ADD, fd, events, token);
  }

  /** Changes what {@code fd} is watched for. */
  public void modify(int fd, int events, long token) throws ErrnoException {
    control(CTL_MOD, fd, events, token);
  }

  private synchronized void control(int operation, int fd, int events, long token)
      throws ErrnoException {
    if (!epoll.isOpen()) {
      throw new ErrnoException("epoll_ctl on a closed epoll", Errno.EBADF);
    }
    Memory.putInt(change, events);
    Memory.putLong(change + TOKEN_OFFSET, token);
    if (Native.C.epoll_ctl(epoll.value(), operation, fd, change) < 0) {
      throw new ErrnoException("epoll_ctl fd " + fd, Native.errno());
    }
  }

  /** Stops watching {@code fd}; no error when it was not watched or is closed already. */
  public synchronized void remove(int fd) {
    Native.C.epoll_ctl(epoll.value(), CTL_DEL, fd, change);
  }

  /**
   * Waits until something is ready, {@code timeoutMillis} have passed (-1: for ever) or a signal
   * came; the number of ready descriptors, which may be 0.
   */
  public int await(int timeoutMillis) {
    return Math.max(0, Native.C.epoll_wait(epoll.value(), ready, maxEvents, timeoutMillis));
  }

  /**
   * As {@link #await}, in microseconds; where library or kernel is too old, rounded up to
   * milliseconds.
   */
  public int awaitMicros(long timeoutMicros) {
    if (timeoutMicros >= 0 && microseconds && epoll.isOpen()) {
      try {
        Memory.putLong(timespec, timeoutMicros / 1_000_000);
        Memory.putLong(timespec + 8, timeoutMicros % 1_000_000 * 1000);
        int count = Native.C.epoll_pwait2(epoll.value(), ready, maxEvents, timespec, 0);
        if (count >= 0 || Native.errno() != Errno.ENOSYS) {
          return Math.max(0, count);
        }
        microseconds = false; // a C library newer than the kernel
      } catch (UnsatisfiedLinkError e) {
        microseconds = false;
      }
    }
    return await(
        timeoutMicros < 0 ? -1 : (int) Math.min(Integer.MAX_VALUE, (timeoutMicros + 999) / 1000));
  }

  /** What was given to {@code add} for the {@code i}-th ready descriptor of the last await. */
  public long token(int i) {
    return Memory.getLong(event(i) + TOKEN_OFFSET);
  }

  /** The events of the {@code i}-th ready descriptor of the last await. */
  public int events(int i) {
    return (int) Memory.getUnsignedInt(event(i));
  }

  private long event(int i) {
    return ready + (long) i * EVENT_BYTES;
  }

  @Override
  public synchronized void close() {
    epoll.close();
    memory.close();
  }
}
