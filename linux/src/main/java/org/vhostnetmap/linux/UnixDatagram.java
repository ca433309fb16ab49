// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.vhostnetmap.linux.libc.Native;

/** One message to a unix datagram socket, as service managers want it. Any thread. */
public final class UnixDatagram {
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;

  private UnixDatagram() {}

  /**
   * Sends {@code message} to the socket at {@code address}: a path, or a name in the abstract space
   * that starts with {@code @}. Never waits: a full socket is EAGAIN.
   */
  public static void send(String address, byte[] message) throws ErrnoException {
    byte[] to = socketAddress(address);
    String what = "send to socket " + address;
    int raw = Native.C.socket(Sockets.AF_UNIX, Sockets.SOCK_DGRAM | Sockets.SOCK_CLOEXEC, 0);
    if (raw < 0) {
      throw new ErrnoException(what, Native.errno());
    }
    try (Fd fd = new Fd(raw)) {
      int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      if (Native.C.sendto(fd.value(), message, message.length, flags, to, to.length) < 0) {
        throw new ErrnoException(what, Native.errno());
      }
    }
  }

  /** man 7 unix, {@code struct sockaddr_un}: the length tells where an abstract name ends. */
  private static byte[] socketAddress(String address) throws ErrnoException {
    byte[] name = address.getBytes(StandardCharsets.UTF_8);
    if (name.length > Sockets.MAX_PATH_BYTES) {
      throw new ErrnoException("socket address " + address, Errno.ENAMETOOLONG);
    }
    boolean named = !address.startsWith("@");
    ByteBuffer sockaddr =
        ByteBuffer.allocate(Short.BYTES + name.length + (named ? 1 : 0))
            .order(ByteOrder.nativeOrder())
            .putShort((short) Sockets.AF_UNIX)
            .put(name);
    if (!named) {
      sockaddr.put(Short.BYTES, (byte) 0);
    }
    return sockaddr.array();
  }
}
