// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.vhostnetmap.linux.libc.Native;

/** A character device that is steered by {@code ioctl(2)}. */
public final class DeviceFile {
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;
  private static final int POLLFD_BYTES = 8;
  private static final int REVENTS = 6;

  private DeviceFile() {}

  /** Opens the device for reading and writing, close-on-exec. */
  public static Fd open(String path) throws ErrnoException {
    int fd = Native.C.open(path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) {
      throw new ErrnoException("open " + path, Native.errno());
    }
    return new Fd(fd);
  }

  /**
   * Sends a request with a structure at a host address, or with a plain number; the result, or the
   * negative error number. What the structure points at has to be mapped too.
   */
  public static int ioctl(int fd, long request, long argument) {
    int result = Native.C.ioctl(fd, request, argument);
    return result >= 0 ? result : -Native.errno();
  }

  /**
   * What {@code poll(2)} answers at once for {@code events} (bits of {@link Epoll}), errors and
   * hang-ups in any case; or the negative error number.
   */
  public static int poll(int fd, int events) {
    byte[] pollfd = new byte[POLLFD_BYTES];
    ByteBuffer fields = ByteBuffer.wrap(pollfd).order(ByteOrder.nativeOrder());
    fields.putInt(0, fd).putShort(4, (short) events);
    int result = Native.C.poll(pollfd, 1, 0);
    return result >= 0 ? fields.getShort(REVENTS) & 0xffff : -Native.errno();
  }
}
