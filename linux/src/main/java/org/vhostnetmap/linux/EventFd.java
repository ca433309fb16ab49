// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.UncheckedIOException;
import org.vhostnetmap.linux.libc.Native;

/**
 * Kicks and calls: eight bytes written wake whoever waits for the descriptor. The static calls
 * neither allocate nor throw, from any thread. What a stranger gave is for {@link Notifier}.
 */
public final class EventFd {
  private static final int EFD_CLOEXEC = 0x80000;
  private static final int EFD_NONBLOCK = 0x800;
  static final int BYTES = 8;

  /** No error number: the watch had to free this thread. */
  static final int MADE_US_WAIT = -1;

  /**
   * A page that lives as long as the process: the number one, and further on room for what drain()
   * throws away.
   */
  static final long ONE = pageWithOne();

  static final long WASTE = ONE + 64;

  static final int WASTE_BYTES = 1024;

  private static final int DRAIN_ROUNDS = 64;

  /** A struct iovec for the latter. */
  private static final long WASTE_IOVEC = ONE + 16;

  /** Linux 5.8 and later for eventfds. */
  private static final int RWF_NOWAIT = 8;

  private EventFd() {}

  private static long pageWithOne() {
    try {
      long page = Mapping.anonymous(4096).address();
      Memory.putLong(page, 1);
      Memory.putLong(page + 16, page + 64);
      Memory.putLong(page + 24, WASTE_BYTES);
      return page;
    } catch (ErrnoException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A new eventfd at zero, non-blocking and close-on-exec. */
  public static Fd create() throws ErrnoException {
    int fd = Native.C.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
      throw new ErrnoException("eventfd", Native.errno());
    }
    return new Fd(fd);
  }

  /**
   * Wakes the other side. A full pipe or counter counts as done, since a wake-up is pending then.
   * False when the descriptor is of no use: closed, other end gone, or it made us wait, which
   * {@link SignalWatch} ended.
   */
  public static boolean signal(int fd) {
    int error = signalOrError(fd);
    return error == 0 || error == Errno.EAGAIN;
  }

  /** 0, an error number, or {@link #MADE_US_WAIT}. */
  static int signalOrError(int fd) {
    SignalWatch.Slot slot = SignalWatch.enter(fd);
    int error;
    do {
      error = Native.C.write(fd, ONE, BYTES) >= 0 ? 0 : Native.errno();
    } while (error == Errno.EINTR);
    return slot.leave() ? error : MADE_US_WAIT;
  }

  /**
   * Takes every pending wake-up away; never waits, even when somebody made the descriptor blocking.
   */
  public static void drain(int fd) {
    // A short read empties an eventfd or a pipe. The bound keeps a peer that never stops from
    // holding us.
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
      long got = Native.C.preadv2(fd, WASTE_IOVEC, 1, -1, RWF_NOWAIT);
      boolean again = got == WASTE_BYTES || (got < 0 && Native.errno() == Errno.EINTR);
      if (!again) {
        return;
      }
    }
  }
}
