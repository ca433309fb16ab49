// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.vhostnetmap.linux.libc.Native;

/**
 * {@code struct ifreq} of {@code netdevice(7)}: an interface's name, then what is asked or
 * answered.
 */
final class InterfaceRequest {
  private static final int BYTES = 40;
  private static final int IFNAMSIZ = 16;
  private static final int SA_DATA = IFNAMSIZ + 2;
  private static final int MAC_BYTES = 6;
  private static final short ARPHRD_ETHER = 1;

  private final byte[] bytes = new byte[BYTES];
  private final ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());

  /** Without a name, for the question after it. */
  InterfaceRequest() {}

  InterfaceRequest(String name) throws ErrnoException {
    byte[] encoded = name.getBytes(StandardCharsets.UTF_8);
    if (encoded.length == 0 || encoded.length >= IFNAMSIZ) {
      throw new ErrnoException(
          "interface name of 1 to 15 bytes wanted, not '" + name + "'", Errno.EINVAL);
    }
    fields.put(0, encoded);
  }

  String name() {
    int end = 0;
    while (end < IFNAMSIZ && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8);
  }

  short flags() {
    return fields.getShort(IFNAMSIZ);
  }

  void setFlags(short flags) {
    fields.putShort(IFNAMSIZ, flags);
  }

  int number() {
    return fields.getInt(IFNAMSIZ);
  }

  void setNumber(int number) {
    fields.putInt(IFNAMSIZ, number);
  }

  /** The first byte on the wire in bits 47 to 40. */
  long mac() {
    long mac = 0;
    for (int i = 0; i < MAC_BYTES; i++) {
      mac = (mac << 8) | (bytes[SA_DATA + i] & 0xff);
    }
    return mac;
  }

  void setMac(long mac) {
    fields.putShort(IFNAMSIZ, ARPHRD_ETHER);
    for (int i = 0; i < MAC_BYTES; i++) {
      bytes[SA_DATA + i] = (byte) (mac >> (8 * (MAC_BYTES - 1 - i)));
    }
  }

  static int getInt(byte[] structure, int offset) {
    return ByteBuffer.wrap(structure).order(ByteOrder.nativeOrder()).getInt(offset);
  }

  static void putInt(byte[] structure, int offset, int value) {
    ByteBuffer.wrap(structure).order(ByteOrder.nativeOrder()).putInt(offset, value);
  }

  /** Sends the request to a device or socket; the answer overwrites it. */
  void send(int fd, long code, String what) throws ErrnoException {
    if (Native.C.ioctl(fd, code, bytes) < 0) {
      throw new ErrnoException(what, Native.errno());
    }
  }

  /** Sends the request to the network stack of this name space; any socket does. */
  void send(long code, String what) throws ErrnoException {
    int socket = Native.C.socket(Sockets.AF_UNIX, Sockets.SOCK_DGRAM | Sockets.SOCK_CLOEXEC, 0);
    if (socket < 0) {
      throw new ErrnoException("socket", Native.errno());
    }
    try (Fd closing = new Fd(socket)) {
      send(closing.value(), code, what);
    }
  }

  /** Sends the request with a pointer to {@code structure}, which the answer overwrites. */
  void sendWithStructure(long code, byte[] structure, String what) throws ErrnoException {
    try (Mapping memory = Mapping.anonymous(structure.length)) {
      Memory.copyFromArray(structure, 0, memory.address(), structure.length);
      fields.putLong(IFNAMSIZ, memory.address());
      send(code, what);
      Memory.copyToArray(memory.address(), structure, 0, structure.length);
    }
  }
}
