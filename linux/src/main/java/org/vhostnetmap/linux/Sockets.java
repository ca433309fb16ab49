// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.vhostnetmap.linux.libc.Native;

/**
 * Questions to a descriptor of unknown origin, such as one that came by {@code --fd} or from
 * systemd.
 */
public final class Sockets {
  /** Longest path of a unix socket: {@code sun_path} less the final zero byte. */
  public static final int MAX_PATH_BYTES = 107;

  static final int AF_UNIX = 1;
  static final int SOCK_STREAM = 1;
  static final int SOCK_DGRAM = 2;
  static final int SOCK_NONBLOCK = 0x800;
  static final int SOCK_CLOEXEC = 0x80000;
  static final int SOL_SOCKET = 1;
  static final int SO_TYPE = 3;
  static final int SO_ACCEPTCONN = 30;
  static final int SO_DOMAIN = 39;

  private Sockets() {}

  /** Whether {@code fd} is a socket that waits for connections. */
  public static boolean isListening(int fd) throws ErrnoException {
    return option(fd, SO_ACCEPTCONN) != 0;
  }

  /** Whether {@code fd} is a unix stream socket, listening or connected. */
  public static boolean isUnixStream(int fd) throws ErrnoException {
    return option(fd, SO_DOMAIN) == AF_UNIX && option(fd, SO_TYPE) == SOCK_STREAM;
  }

  /** Whether nobody is at the other end of this connection any more; what he sent may be unread. */
  public static boolean hasHungUp(int fd) {
    int events = poll(fd, 0);
    return events >= 0 && (events & Epoll.HUP) != 0;
  }

  /** Whether a write to {@code fd} would have to wait; not when that can't be found out. */
  static boolean isFull(int fd) {
    return poll(fd, Epoll.OUT) == 0;
  }

  /** man 2 poll: events of {@code fd} now, whose bits are those of epoll; -1 for an error. */
  private static int poll(int fd, int events) {
    byte[] pollfd = new byte[8];
    ByteBuffer fields = ByteBuffer.wrap(pollfd).order(ByteOrder.nativeOrder());
    fields.putInt(fd).putShort((short) events);
    return Native.C.poll(pollfd, 1, 0) < 0 ? -1 : fields.getShort(6);
  }

  /** Refuses a path that does not fit into a socket address, with a message that says so. */
  static void requireShort(Path path) throws ErrnoException {
    int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MAX_PATH_BYTES) {
      throw new ErrnoException(
          "socket path of " + bytes + " bytes, at most " + MAX_PATH_BYTES + " fit: " + path,
          Errno.ENAMETOOLONG);
    }
  }

  private static int option(int fd, int option) throws ErrnoException {
    byte[] value = new byte[Integer.BYTES];
    if (Native.C.getsockopt(fd, SOL_SOCKET, option, value, new int[] {value.length}) < 0) {
      throw new ErrnoException("getsockopt fd " + fd, Native.errno());
    }
    return ByteBuffer.wrap(value).order(ByteOrder.nativeOrder()).getInt();
  }
}
