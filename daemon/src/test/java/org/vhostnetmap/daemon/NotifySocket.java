// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import jnr.unixsocket.UnixDatagramChannel;
import jnr.unixsocket.UnixSocketAddress;

/** Plays systemd's end of NOTIFY_SOCKET. */
final class NotifySocket implements AutoCloseable {
  private final UnixDatagramChannel channel = UnixDatagramChannel.open();

  NotifySocket(Path path) throws IOException {
    channel.bind(new UnixSocketAddress(path.toString()));
  }

  /** Waits for the next message. */
  String next() throws IOException {
    ByteBuffer message = ByteBuffer.allocate(256);
    channel.receive(message);
    return UTF_8.decode(message.flip()).toString();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
