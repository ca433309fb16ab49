// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;

/**
 * Gathers messages from a stream that may split anywhere, without ever waiting. One fixed buffer;
 * owns the descriptors of a message until it is whole. Control thread only.
 */
public final class MessageReader implements AutoCloseable {
  /**
   * No message has more than eight, strays beside them are suffered. One byte at a time, each with
   * its descriptors, a message could else bring all that we may have open.
   */
  private static final int MOST_FDS = 64;

  private final UnixConnection connection;
  private final byte[] bytes = new byte[Header.BYTES + Payload.LARGEST];
  private final ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
  private List<Fd> fds = new ArrayList<>();
  private @Nullable Header header;
  private int have;

  /** Reads from {@code connection}, which stays its owner's. */
  public MessageReader(UnixConnection connection) {
    this.connection = connection;
  }

  /**
   * The next message, or null when the rest of it has not come yet.
   *
   * @throws EOFException when the front-end hung up
   */
  public @Nullable Message read() throws IOException, ProtocolFault {
    if (header == null) {
      if (!fill(Header.BYTES)) {
        return null;
      }
      header = Header.read(buffer.slice(0, Header.BYTES).order(ByteOrder.nativeOrder()));
    }
    Header whole = header;
    if (!fill(Header.BYTES + whole.size())) {
      return null;
    }
    Message message =
        new Message(
            whole, buffer.slice(Header.BYTES, whole.size()).order(ByteOrder.nativeOrder()), fds);
    fds = new ArrayList<>();
    header = null;
    have = 0;
    return message;
  }

  /** Whether part of a message has come. */
  public boolean inMessage() {
    return have > 0;
  }

  private boolean fill(int wanted) throws IOException, ProtocolFault {
    while (have < wanted) {
      int got = connection.receive(bytes, have, wanted - have, fds);
      if (got < 0) {
        throw new EOFException(have > 0 ? "hung up in the middle of a message" : "hung up");
      }
      if (got == 0) {
        return false;
      }
      have += got;
      if (fds.size() > MOST_FDS) {
        throw new ProtocolFault("message with more than " + MOST_FDS + " file descriptors");
      }
    }
    return true;
  }

  /** Closes the descriptors of a message that never became whole. */
  @Override
  public void close() {
    fds.forEach(Fd::close);
    fds.clear();
  }
}
