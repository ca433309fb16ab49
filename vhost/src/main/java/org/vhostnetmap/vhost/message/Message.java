// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Fd;

/**
 * One whole message of a front-end. Owns the descriptors that came with it until they are taken;
 * closing it closes the rest. The payload is lent by the reader until the next message is read.
 */
public final class Message implements AutoCloseable {
  private final Header header;
  private final ByteBuffer payload;
  private final List<Fd> fds;
  private int taken;

  Message(Header header, ByteBuffer payload, List<Fd> fds) {
    this.header = header;
    this.payload = payload;
    this.fds = fds;
  }

  /** Number, need_reply and size. */
  public Header header() {
    return header;
  }

  /** What it asks, or null when the document knows no such number. */
  public @Nullable FrontendRequest request() {
    return FrontendRequest.of(header.number());
  }

  /** The payload in native byte order, from its first byte on. */
  public ByteBuffer payload() {
    return payload;
  }

  /** The payload once more from its start, for a look that leaves {@link #payload} where it is. */
  public ByteBuffer peekPayload() {
    return payload.duplicate().order(payload.order()).rewind();
  }

  /** How many descriptors came and were not taken. */
  public int fdCount() {
    return fds.size() - taken;
  }

  /** Hands over the next descriptor. The caller has looked at {@link #fdCount}. */
  public Fd takeFd() {
    return fds.get(taken++);
  }

  @Override
  public void close() {
    while (fdCount() > 0) {
      takeFd().close();
    }
  }

  /** The spec's name, the flags and the fields, for the log. */
  @Override
  public String toString() {
    return Header.nameOf(header.number())
        + (header.needReply() ? " need_reply" : "")
        + fields()
        + (fds.isEmpty() ? "" : " fds " + fds.size());
  }

  /** By absolute position: whoever serves the message reads on where it was. */
  private String fields() {
    FrontendRequest request = request();
    if (request == null) {
      return " size " + header.size();
    }
    return switch (request.payload()) {
      case U64, VRING_FD -> " 0x" + Long.toHexString(payload.getLong(0));
      case VRING_STATE ->
          " ring "
              + Integer.toUnsignedString(payload.getInt(0))
              + " num "
              + Integer.toUnsignedString(payload.getInt(4));
      case VRING_ADDRESS -> " " + VringAddress.read(peekPayload());
      case MEMORY_TABLE -> " regions " + Integer.toUnsignedString(payload.getInt(0));
      case SINGLE_REGION -> " " + MemoryRegion.readSingle(peekPayload());
      default -> header.size() == 0 ? "" : " size " + header.size();
    };
  }
}
