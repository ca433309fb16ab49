// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.io.IOException;
import org.vhostnetmap.linux.Errno;

/**
 * A netmap device refused a request. The message says what the kernel's log would have said and
 * what to do; the number is the one that the kernel's device answers in the same case.
 */
public final class NetmapException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /** A refusal with its reason in words and its {@code errno}. */
  public NetmapException(String reason, int errno) {
    super(reason + ": " + Errno.describe(errno));
    this.errno = errno;
  }

  /** The same with what it came from. */
  public NetmapException(String reason, int errno, Throwable cause) {
    super(reason + ": " + Errno.describe(errno), cause);
    this.errno = errno;
  }

  /** The error number, as in {@code errno.h}. */
  public int errno() {
    return errno;
  }
}
