// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.vhostnetmap.linux.libc.Native;

/**
 * A name that one holder in a network namespace can have at a time, across processes, and that
 * nobody has any more once its holder died: an abstract unix socket's. Needs no right and no file.
 */
public final class NamedLock implements AutoCloseable {
  private final Fd fd;

  private NamedLock(Fd fd) {
    this.fd = fd;
  }

  /**
   * Takes the name.
   *
   * @param name up to 100 letters, digits and signs
   * @throws ErrnoException EADDRINUSE when somebody has it
   */
  public static NamedLock take(String name) throws ErrnoException {
    byte[] encoded = name.getBytes(StandardCharsets.UTF_8);
    int type = Sockets.SOCK_DGRAM | Sockets.SOCK_CLOEXEC;
    int socket = Native.C.socket(Sockets.AF_UNIX, type, 0);
    if (socket < 0) {
      throw new ErrnoException("socket", Native.errno());
    }
    // struct sockaddr_un: family 0:2, then the path; one that begins with 0 is no file's.
    ByteBuffer address = ByteBuffer.allocate(3 + encoded.length).order(ByteOrder.nativeOrder());
    address.putShort(0, (short) Sockets.AF_UNIX).put(3, encoded);
    Fd fd = new Fd(socket);
    if (Native.C.bind(socket, address.array(), address.capacity()) < 0) {
      ErrnoException taken = new ErrnoException("take the name " + name, Native.errno());
      fd.close();
      throw taken;
    }
    return new NamedLock(fd);
  }

  /** Lets go of the name; a second call does nothing. */
  @Override
  public void close() {
    fd.close();
  }
}
