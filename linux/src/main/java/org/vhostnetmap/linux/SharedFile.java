// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import org.vhostnetmap.linux.libc.Native;

/**
 * Files without a name that live in memory (memfd), and the seals that keep a sharer from shrinking
 * one.
 */
public final class SharedFile {
  public static final int SEAL_SEAL = 1;
  public static final int SEAL_SHRINK = 2;
  public static final int SEAL_GROW = 4;

  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int F_ADD_SEALS = 1033;
  private static final int F_GET_SEALS = 1034;

  private SharedFile() {}

  /** A new file of {@code size} zero bytes that nobody can seal. */
  public static Fd create(String name, long size) throws ErrnoException {
    return create(name, size, false);
  }

  /** A new file of {@code size} zero bytes; {@code name} shows under /proc only. */
  public static Fd create(String name, long size, boolean allowSealing) throws ErrnoException {
    int fd = Native.C.memfd_create(name, MFD_CLOEXEC | (allowSealing ? MFD_ALLOW_SEALING : 0));
    if (fd < 0) {
      throw new ErrnoException("memfd_create " + name, Native.errno());
    }
    Fd file = new Fd(fd);
    try {
      truncate(fd, size);
    } catch (ErrnoException e) {
      file.close();
      throw e;
    }
    return file;
  }

  /** Makes the file {@code size} bytes long. Pages that it loses vanish under every mapping. */
  public static void truncate(int fd, long size) throws ErrnoException {
    if (Native.C.ftruncate(fd, size) < 0) {
      throw new ErrnoException("ftruncate fd " + fd + " to " + size, Native.errno());
    }
  }

  /** The seals, or -1 where the file system has none. */
  public static int seals(int fd) {
    return Native.C.fcntl(fd, F_GET_SEALS, 0);
  }

  /** Forbids shrinking for ever; false when the file is sealed against seals or has none. */
  public static boolean addShrinkSeal(int fd) {
    return Native.C.fcntl(fd, F_ADD_SEALS, SEAL_SHRINK) == 0;
  }
}
