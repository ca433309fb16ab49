// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import org.vhostnetmap.linux.libc.Native;

/**
 * A descriptor that was given to us to wake somebody by, or to be woken by: an eventfd, a pipe, or
 * a socket (what user-mode Linux calls a pipe is a pair of sockets). Whoever gave it shares the
 * open file and may do to it what he likes; still neither {@link #signal} nor {@link #drain} ever
 * waits. Owns the descriptor.
 */
public final class Notifier implements AutoCloseable {
  private static final int TYPE_MASK = 0xf000;
  private static final int TYPE_SOCKET = 0xc000;
  private static final int TYPE_PIPE = 0x1000;
  private static final int TYPE_ANONYMOUS = 0; // an eventfd is an anonymous inode
  private static final int NO_WAITING = 0x40 | 0x4000; // MSG_DONTWAIT | MSG_NOSIGNAL

  private static final int DRAIN_ROUNDS = 64;

  private enum Kind {
    EVENTFD,
    /** Opened anew: an open file of our own, which nobody else can make blocking. */
    PIPE,
    SOCKET
  }

  private final Fd fd;
  private final Kind kind;

  private Notifier(Fd fd, Kind kind) {
    this.fd = fd;
    this.kind = kind;
  }

  /**
   * Takes {@code fd} over, also when this fails.
   *
   * @param toSignal whether we are the one to signal; else we are the one to be woken
   * @throws ErrnoException EINVAL when it is none of the three kinds; what {@code open} says of a
   *     pipe that is not ours to open
   */
  public static Notifier of(Fd fd, boolean toSignal) throws ErrnoException {
    try (fd) {
      int type = FileStatus.of(fd.value()).mode() & TYPE_MASK;
      return switch (type) {
        case TYPE_PIPE -> new Notifier(Fd.reopenPipe(fd.value(), toSignal), Kind.PIPE);
        case TYPE_SOCKET -> new Notifier(new Fd(fd.release()), Kind.SOCKET);
        case TYPE_ANONYMOUS -> {
          Fd.setNonBlocking(fd.value());
          yield new Notifier(new Fd(fd.release()), Kind.EVENTFD);
        }
        default -> throw new ErrnoException("neither eventfd, pipe nor socket", Errno.EINVAL);
      };
    }
  }

  /** The descriptor, to be watched; stays this object's. */
  public int fd() {
    return fd.value();
  }

  /**
   * Wakes the other side. False when the descriptor is of no use, or had to be freed from somebody
   * who made us wait: it should not be used again. Any thread, no allocation.
   */
  public boolean signal() {
    return kind == Kind.SOCKET ? send() : EventFd.signal(fd.value());
  }

  private boolean send() {
    int error;
    do {
      if (Native.C.send(fd.value(), EventFd.ONE, EventFd.BYTES, NO_WAITING) >= 0) {
        return true;
      }
      error = Native.errno();
    } while (error == Errno.EINTR);
    return error == Errno.EAGAIN;
  }

  /** Takes every pending wake-up away. Any thread, no allocation. */
  public void drain() {
    if (kind == Kind.EVENTFD) {
      EventFd.drain(fd.value());
      return;
    }
    // The bound keeps a peer that never stops from holding us.
    long got = EventFd.WASTE_BYTES;
    for (int i = 0; i < DRAIN_ROUNDS && got == EventFd.WASTE_BYTES; i++) {
      got =
          kind == Kind.PIPE
              ? Native.C.read(fd.value(), EventFd.WASTE, EventFd.WASTE_BYTES)
              : Native.C.recv(fd.value(), EventFd.WASTE, EventFd.WASTE_BYTES, NO_WAITING);
    }
  }

  @Override
  public void close() {
    fd.close();
  }

  @Override
  public String toString() {
    return fd.toString();
  }
}
