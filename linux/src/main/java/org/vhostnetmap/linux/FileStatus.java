// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.vhostnetmap.linux.libc.Native;

/**
 * What the kernel says of a file at one moment, without asking anybody else.
 *
 * @param size in bytes
 * @param mode type and permission bits, as {@code st_mode}
 * @param device major number in the upper, minor in the lower 32 bits
 * @param inode unique within the device
 * @param blockSize for efficient I/O; on hugetlbfs the size of a huge page
 */
public record FileStatus(long size, int mode, long device, long inode, long blockSize) {
  private static final int AT_FDCWD = -100;
  private static final int AT_SYMLINK_NOFOLLOW = 0x100;
  private static final int AT_EMPTY_PATH = 0x1000;

  /** What this host knows by itself: the server of a network or user's file system is not asked. */
  private static final int AT_STATX_DONT_SYNC = 0x4000;

  private static final int STATX_BASIC_STATS = 0x7ff;
  private static final int STATX_BYTES = 256;
  private static final int TYPE_MASK = 0xf000;
  private static final int TYPE_REGULAR = 0x8000;
  private static final int TYPE_SOCKET = 0xc000;

  /** The file behind {@code fd}. */
  public static FileStatus of(int fd) throws ErrnoException {
    return parse(statx(fd, "", AT_EMPTY_PATH, "stat fd " + fd));
  }

  /** The file at {@code path} itself, not where a symbolic link points. */
  public static FileStatus of(Path path) throws ErrnoException {
    return parse(statx(AT_FDCWD, path.toString(), AT_SYMLINK_NOFOLLOW, "stat " + path));
  }

  /** The size in bytes of the file behind {@code fd}, by one system call. */
  public static long sizeOf(int fd) throws ErrnoException {
    return statx(fd, "", AT_EMPTY_PATH, "stat fd " + fd).getLong(40);
  }

  private static ByteBuffer statx(int directory, String path, int flags, String what)
      throws ErrnoException {
    byte[] statx = new byte[STATX_BYTES];
    if (Native.C.statx(directory, path, flags | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, statx) < 0) {
      throw new ErrnoException(what, Native.errno());
    }
    return ByteBuffer.wrap(statx).order(ByteOrder.nativeOrder());
  }

  /** Offsets are those of {@code struct statx}, include/uapi/linux/stat.h. */
  private static FileStatus parse(ByteBuffer statx) {
    long device =
        Integer.toUnsignedLong(statx.getInt(136)) << 32 | Integer.toUnsignedLong(statx.getInt(140));
    return new FileStatus(
        statx.getLong(40),
        statx.getShort(28) & 0xffff,
        device,
        statx.getLong(32),
        Integer.toUnsignedLong(statx.getInt(4)));
  }

  /** Whether it is a plain file, which a memfd is as well. */
  public boolean isRegularFile() {
    return (mode & TYPE_MASK) == TYPE_REGULAR;
  }

  /** Whether it lies on a block device, and not with a server or a program. */
  public boolean isOnBlockDevice() {
    return device >>> 32 != 0;
  }

  /** Whether it is a socket. */
  public boolean isSocket() {
    return (mode & TYPE_MASK) == TYPE_SOCKET;
  }

  /** Whether {@code other} tells of the same file. */
  public boolean sameFile(FileStatus other) {
    return device == other.device && inode == other.inode;
  }
}
