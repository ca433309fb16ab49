// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.vhostnetmap.linux.libc.Native;

/**
 * A descriptor that was given to us to wake somebody by, or to be woken by: an eventfd, a pipe, or
 * a socket (what user-mode Linux calls a pipe is a pair of sockets). Whoever gave it shares the
 * open file and may do to it what he likes; still neither {@link #signal} nor {@link #drain} ever
 * waits. Owns the descriptor.
 */
public final class Notifier implements AutoCloseable {
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
  private volatile boolean madeUsWait;

  private Notifier(Fd fd, Kind kind) {
    this.fd = fd;
    this.kind = kind;
  }

  /**
   * Takes {@code fd} over, also when this fails.
   *
   * @param toSignal whether we are the one to signal; else we are the one to be woken
   * @throws ErrnoException EINVAL when it is none of the three kinds; what {@code open} says of a
   *     pipe that is not ours to open (one of another user's: user-mode Linux gives sockets)
   */
  public static Notifier of(Fd fd, boolean toSignal) throws ErrnoException {
    try (fd) {
      return switch (kindOf(fd)) {
        case PIPE -> new Notifier(Fd.reopenPipe(fd.value(), toSignal), Kind.PIPE);
        case SOCKET -> new Notifier(fd.moved(), Kind.SOCKET);
        case EVENTFD -> {
          Fd.setNonBlocking(fd.value());
          // Nothing of its giver's can make the close of an eventfd wait.
          yield new Notifier(new Fd(fd.release()), Kind.EVENTFD);
        }
      };
    }
  }

  /** By the name that the kernel gives it under /proc: no question reaches a file's own system. */
  private static Kind kindOf(Fd fd) throws ErrnoException {
    String name;
    try {
      name = Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.value())).toString();
    } catch (IOException e) {
      throw new ErrnoException("name of " + fd, Errno.EBADF);
    }
    if (name.equals("anon_inode:[eventfd]")) {
      return Kind.EVENTFD;
    }
    if (name.startsWith("pipe:[")) {
      return Kind.PIPE;
    }
    if (name.startsWith("socket:[")) {
      return Kind.SOCKET;
    }
    throw new ErrnoException("neither eventfd, pipe nor socket: " + name, Errno.EINVAL);
  }

  /**
   * Takes {@code next} in the place of what this was, and over, if both are eventfds: in one step,
   * so that a thread in the middle of {@link #signal} reaches the one or the other.
   *
   * @return false when they are not, or the system refuses: nothing has happened
   */
  public boolean becomes(Notifier next) {
    if (kind != Kind.EVENTFD || next.kind != Kind.EVENTFD) {
      return false;
    }
    try {
      Fd old = fd.duplicate();
      try {
        fd.refersTo(next.fd);
      } catch (ErrnoException e) {
        old.close();
        return false;
      }
      SignalWatch.replaced(fd.value(), old);
      next.close();
      return true;
    } catch (ErrnoException e) {
      return false;
    }
  }

  /** The descriptor, to be watched; stays this object's. */
  public int fd() {
    return fd.value();
  }

  /**
   * Wakes the other side. False when the descriptor is of no use, which may be because it {@link
   * #madeUsWait}. Any thread, no allocation.
   */
  public boolean signal() {
    if (kind == Kind.SOCKET) {
      return send();
    }
    int error = EventFd.signalOrError(fd.value());
    if (error == EventFd.MADE_US_WAIT) {
      madeUsWait = true;
    }
    return error == 0 || error == Errno.EAGAIN;
  }

  /**
   * Whether the other side made it blocking, and full, so that a thread of ours was stuck in {@link
   * #signal} until it was freed. Nobody does that by mistake.
   */
  public boolean madeUsWait() {
    return madeUsWait;
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
