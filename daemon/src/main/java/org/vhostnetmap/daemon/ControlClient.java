// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Asks a running back-end one question. Uses the JDK's own sockets: no need to load jnr for that.
 */
final class ControlClient {
  private final Duration patience;

  ControlClient(Duration patience) {
    this.patience = patience;
  }

  /** No answer in time. */
  static final class Silence extends IOException {
    private static final long serialVersionUID = 1L;

    Silence(Path socket) {
      super("no answer on " + socket);
    }
  }

  /** Sends {@code request} as one line; the answer is all that comes until the back-end closes. */
  String ask(Path socket, String request) throws IOException {
    long deadline = System.nanoTime() + patience.toNanos();
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = Selector.open()) {
      channel.connect(UnixDomainSocketAddress.of(socket));
      channel.write(StandardCharsets.UTF_8.encode(request + "\n"));
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_READ);
      var answer = new ByteArrayOutputStream();
      ByteBuffer buffer = ByteBuffer.allocate(16 * 1024);
      while (true) {
        int count = channel.read(buffer.clear());
        if (count < 0) {
          return answer.toString(StandardCharsets.UTF_8);
        }
        answer.write(buffer.array(), 0, count);
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (count == 0 && (left <= 0 || selector.select(left) == 0)) {
          throw new Silence(socket);
        }
        selector.selectedKeys().clear();
      }
    }
  }
}
