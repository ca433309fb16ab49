// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;

/**
 * The twelve bytes before every payload.
 *
 * @param number of the request, any 32 bits
 * @param needReply the sender waits for an acknowledgement
 * @param size of the payload in bytes, 0 to {@link Payload#LARGEST}
 */
public record Header(int number, boolean needReply, int size) {
  /** Bytes on the wire. */
  public static final int BYTES = 12;

  private static final int VERSION_MASK = 0x3;
  private static final int VERSION = 0x1;
  private static final int REPLY = 0x4;
  private static final int NEED_REPLY = 0x8;

  /** Flags of a reply: QEMU rejects one with anything but this, need_reply included. */
  static final int REPLY_FLAGS = VERSION | REPLY;

  /** Reads and checks a request's header at the buffer's position. */
  public static Header read(ByteBuffer bytes) throws ProtocolFault {
    int number = bytes.getInt();
    int flags = bytes.getInt();
    long size = Integer.toUnsignedLong(bytes.getInt());
    if ((flags & VERSION_MASK) != VERSION) {
      throw new ProtocolFault(
          "message " + Integer.toUnsignedString(number) + " of version " + (flags & VERSION_MASK));
    }
    if ((flags & REPLY) != 0) {
      throw new ProtocolFault(
          "reply " + Integer.toUnsignedString(number) + " to a question nobody asked");
    }
    FrontendRequest request = FrontendRequest.of(number);
    if (size > Payload.LARGEST || (request != null && !request.payload().allows((int) size))) {
      throw new ProtocolFault(nameOf(number) + " with a payload of " + size + " bytes");
    }
    return new Header(number, (flags & NEED_REPLY) != 0, (int) size);
  }

  /** The spec's name of a request number, for people. */
  public static String nameOf(int number) {
    FrontendRequest request = FrontendRequest.of(number);
    return request == null ? "unknown request " + Integer.toUnsignedString(number) : request.name();
  }
}
