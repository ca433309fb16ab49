// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/** Error numbers of Linux, as in {@code errno.h}: those that this program decides by. */
public final class Errno {
  public static final int EPERM = 1;
  public static final int ENOENT = 2;
  public static final int EINTR = 4;
  public static final int EIO = 5;
  public static final int ENXIO = 6;
  public static final int EBADF = 9;
  public static final int EAGAIN = 11;
  public static final int ENOMEM = 12;
  public static final int EACCES = 13;
  public static final int EBUSY = 16;
  public static final int EEXIST = 17;
  public static final int ENODEV = 19;
  public static final int ENOTDIR = 20;
  public static final int EINVAL = 22;
  public static final int EMFILE = 24;
  public static final int EPIPE = 32;
  public static final int ENAMETOOLONG = 36;
  public static final int ENOSYS = 38;
  public static final int ENOTSOCK = 88;
  public static final int EMSGSIZE = 90;
  public static final int EOPNOTSUPP = 95;
  public static final int EADDRINUSE = 98;
  public static final int ENETDOWN = 100;
  public static final int ECONNABORTED = 103;
  public static final int ENOBUFS = 105;
  public static final int ECONNREFUSED = 111;

  private Errno() {}

  /** Name and meaning, such as {@code EBUSY (Device or resource busy)}; never fails. */
  public static String describe(int errno) {
    jnr.constants.platform.Errno known = jnr.constants.platform.Errno.valueOf(errno);
    if (known == jnr.constants.platform.Errno.__UNKNOWN_CONSTANT__) {
      return "errno " + errno;
    }
    // Linux gives the number two names; the kernel's own sources use this one.
    String name = errno == EOPNOTSUPP ? "EOPNOTSUPP" : known.name();
    return name + " (" + known + ")";
  }
}
