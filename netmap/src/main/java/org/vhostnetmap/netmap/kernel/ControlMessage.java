// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.nio.charset.StandardCharsets;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapException;

/// One request in memory that the kernel can follow: `struct nmreq_header`, and behind it the body
/// that it points at. Fields in host byte order, which is little-endian.
///
/// ```
///   0  nr_version 16   2  nr_reqtype 16   4  nr_reserved 32   8  nr_name[64]
///   72 nr_options 64 (none)               80 nr_body 64 ------+
///   128 the body  <-------------------------------------------+
/// ```
///
/// The older `struct nmreq` of 60 bytes, which points at nothing, fits as well.
final class ControlMessage implements AutoCloseable {
  /** What we speak; the kernel takes 14 and 15, and all of 11 to 15 before NIOCCTRL. */
  static final int NETMAP_API = 14;

  private static final int NAME = 8;
  private static final int NAME_BYTES = 64;
  private static final int BODY_POINTER = 80;
  private static final int BODY = 128;

  private final Mapping memory;
  private final long header;

  private ControlMessage() throws NetmapException {
    try {
      memory = Mapping.anonymous(4096);
    } catch (ErrnoException e) {
      throw new NetmapException("no memory for a request to netmap", e.errno(), e);
    }
    header = memory.address();
  }

  /** A request of the current kind with an empty body. */
  static ControlMessage of(RequestType type, String name) throws NetmapException {
    byte[] encoded = encode(name, NAME_BYTES);
    ControlMessage message = new ControlMessage();
    Memory.putShort(message.header, NETMAP_API);
    Memory.putShort(message.header + 2, type.code());
    Memory.copyFromArray(encoded, 0, message.header + NAME, encoded.length);
    Memory.putLong(message.header + BODY_POINTER, type.bodyBytes() == 0 ? 0 : message.body());
    return message;
  }

  /** An empty {@code struct nmreq}, all of it to be found at {@link #body}. */
  static ControlMessage legacy(String name) throws NetmapException {
    byte[] encoded = encode(name, 16);
    ControlMessage message = new ControlMessage();
    Memory.copyFromArray(encoded, 0, message.body(), encoded.length);
    return message;
  }

  /** The last byte of the field stays 0. */
  private static byte[] encode(String name, int fieldBytes) throws NetmapException {
    byte[] encoded = name.getBytes(StandardCharsets.UTF_8);
    if (encoded.length >= fieldBytes || name.indexOf('\0') >= 0) {
      throw new NetmapException(
          "the name '" + name + "' is longer than the " + (fieldBytes - 1) + " bytes netmap takes",
          Errno.ENAMETOOLONG);
    }
    return encoded;
  }

  /** Address of the header. */
  long header() {
    return header;
  }

  /** Address of the body. */
  long body() {
    return header + BODY;
  }

  /** The name as the kernel left it. */
  String name() {
    return text(header + NAME, NAME_BYTES);
  }

  /** The name in a {@code struct nmreq}. */
  String legacyName() {
    return text(body(), 16);
  }

  private static String text(long address, int bytes) {
    byte[] field = new byte[bytes];
    Memory.copyToArray(address, field, 0, bytes);
    int end = 0;
    while (end < bytes && field[end] != 0) {
      end++;
    }
    return new String(field, 0, end, StandardCharsets.UTF_8);
  }

  int getInt(int offset) {
    return (int) Memory.getUnsignedInt(body() + offset);
  }

  int getShort(int offset) {
    return Memory.getUnsignedShort(body() + offset);
  }

  long getLong(int offset) {
    return Memory.getLong(body() + offset);
  }

  ControlMessage putInt(int offset, int value) {
    Memory.putInt(body() + offset, value);
    return this;
  }

  ControlMessage putShort(int offset, int value) {
    Memory.putShort(body() + offset, value);
    return this;
  }

  ControlMessage putLong(int offset, long value) {
    Memory.putLong(body() + offset, value);
    return this;
  }

  @Override
  public void close() {
    memory.close();
  }
}
