// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/**
 * One file descriptor and the duty to close it. Safe for use from several threads; the number is
 * closed once, whoever comes first. An object that is only lent a descriptor holds an {@code int}
 * instead.
 */
public final class Fd implements AutoCloseable {
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int F_SETFD = 2;
  private static final int FD_CLOEXEC = 1;
  private static final int F_GETFL = 3;
  private static final int F_SETFL = 4;
  private static final int O_WRONLY = 1;
  private static final int O_NONBLOCK = 0x800;
  private static final int O_CLOEXEC = 0x80000;
  private static final int NONE = -1;

  private final AtomicInteger value;
  private final @Nullable Closer closer;

  /** Takes over {@code value}, which nobody else may close from now on. */
  public Fd(int value) {
    this(value, null);
  }

  /** The same, for a descriptor of a stranger's: {@code closer} closes it. */
  Fd(int value, @Nullable Closer closer) {
    this.closer = closer;
    if (value < 0) {
      throw new IllegalArgumentException("not a file descriptor: " + value);
    }
    this.value = new AtomicInteger(value);
  }

  /** The number, or -1 once closed or released. */
  public int value() {
    return value.get();
  }

  /** Whether this object still owns a descriptor. */
  public boolean isOpen() {
    return value.get() != NONE;
  }

  /** A second descriptor of the same open file, close-on-exec. */
  public Fd duplicate() throws ErrnoException {
    return duplicate(value.get());
  }

  /** A descriptor of our own for {@code fd}, which stays its owner's; close-on-exec. */
  public static Fd duplicate(int fd) throws ErrnoException {
    int copy = duplicateOrNegative(fd);
    if (copy < 0) {
      throw new ErrnoException("duplicate fd " + fd, Native.errno());
    }
    return new Fd(copy);
  }

  static int duplicateOrNegative(int fd) {
    return Native.C.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  }

  /**
   * The file behind {@code other} is from now on behind this number too, in one step: whoever uses
   * the number finds the one file or the other. {@code other} stays as it is.
   */
  void refersTo(Fd other) throws ErrnoException {
    if (Native.C.dup3(other.value(), value(), O_CLOEXEC) < 0) {
      throw new ErrnoException("dup3 of " + other + " to " + this, Native.errno());
    }
  }

  /**
   * Makes reads and writes of {@code fd} fail with EAGAIN rather than wait. The flag belongs to the
   * open file: whoever shares it sees it as well, and can undo it.
   */
  public static void setNonBlocking(int fd) throws ErrnoException {
    int flags = Native.C.fcntl(fd, F_GETFL, 0);
    if (flags < 0 || Native.C.fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
      throw new ErrnoException("make fd " + fd + " non-blocking", Native.errno());
    }
  }

  /**
   * Opens the pipe behind {@code fd} anew, non-blocking and close-on-exec. Unlike a duplicate it is
   * an open file of our own: nobody else can take the non-blocking flag away.
   *
   * @param forWriting which end is wanted
   */
  public static Fd reopenPipe(int fd, boolean forWriting) throws ErrnoException {
    int flags = O_NONBLOCK | O_CLOEXEC | (forWriting ? O_WRONLY : 0);
    int fresh = Native.C.open("/proc/self/fd/" + fd, flags, 0);
    if (fresh < 0) {
      throw new ErrnoException("open the pipe behind fd " + fd, Native.errno());
    }
    return new Fd(fresh);
  }

  /** Keeps {@code fd} from being inherited by the programs that this process starts. */
  static void setCloseOnExec(int fd) throws ErrnoException {
    if (Native.C.fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
      throw new ErrnoException("make fd " + fd + " close-on-exec", Native.errno());
    }
  }

  /** Gives up the duty to close and returns the number, or -1 when there was none. */
  public int release() {
    return value.getAndSet(NONE);
  }

  /** Gives number and duty to a new object, which closes as this one would have. */
  public Fd moved() {
    return new Fd(release(), closer);
  }

  /** Closes, at once or (what a stranger gave) soon; a second call does nothing. */
  @Override
  public void close() {
    int fd = release();
    if (fd == NONE) {
      return;
    }
    // Linux frees the number whatever close() answers, so there is nothing to repeat and nothing to
    // tell.
    if (closer == null) {
      Native.C.close(fd);
    } else {
      closer.run(() -> Native.C.close(fd));
    }
  }

  @Override
  public String toString() {
    return "fd " + value.get();
  }
}
