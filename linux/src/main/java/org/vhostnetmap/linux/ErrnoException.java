// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;

/**
 * A system call of this host failed: neither the guest's fault ({@code GuestFault}) nor the
 * front-end's ({@code ProtocolFault}).
 */
public final class ErrnoException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /** {@code what} tells the call and its object, such as {@code open /dev/net/tun}. */
  public ErrnoException(String what, int errno) {
    super(what + ": " + Errno.describe(errno));
    this.errno = errno;
  }

  /** The error number, as in {@code errno.h}. */
  public int errno() {
    return errno;
  }
}
