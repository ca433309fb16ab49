// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;

/** Ends the program: the message is the one line its user reads, and says what to do. */
final class Failure extends Exception {
  private static final long serialVersionUID = 1L;

  private final ExitStatus status;
  private final String message;

  Failure(ExitStatus status, String message) {
    super(message);
    this.message = message;
    this.status = status;
  }

  Failure(ExitStatus status, String message, Throwable cause) {
    super(message, cause);
    this.message = message;
    this.status = status;
  }

  /** A system call failed; {@code advice}, if not empty, is what to do about it. */
  static Failure of(ErrnoException cause, String advice) {
    String message = String.valueOf(cause.getMessage());
    return new Failure(
        status(cause.errno()), advice.isEmpty() ? message : message + "; " + advice, cause);
  }

  /** What an error number means for the parent process, when nothing else is known. */
  static ExitStatus status(int errno) {
    return switch (errno) {
      case Errno.EPERM, Errno.EACCES -> ExitStatus.NO_PERMISSION;
      case Errno.ENOENT, Errno.ENOTDIR, Errno.EBADF -> ExitStatus.NO_INPUT;
      case Errno.EADDRINUSE, Errno.EBUSY, Errno.EAGAIN -> ExitStatus.TEMPORARY;
      case Errno.ENAMETOOLONG -> ExitStatus.CANT_CREATE;
      case Errno.ENODEV, Errno.ENOSYS -> ExitStatus.UNAVAILABLE;
      default -> ExitStatus.OS_ERROR;
    };
  }

  /** Never null here. */
  @Override
  public String getMessage() {
    return message;
  }

  ExitStatus status() {
    return status;
  }
}
