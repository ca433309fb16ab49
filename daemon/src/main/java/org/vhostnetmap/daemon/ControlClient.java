// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
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

  /**
   * Sends {@code request} as one line; the answer is all that comes until the back-end closes.
   * Another thread closes the channel when time is up, since a connect to a stopped process whose
   * queue is full waits for ever as well, and one that does not wait is not queued (man 2 connect,
   * EAGAIN).
   */
  String ask(Path socket, String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      Thread clock = Thread.ofPlatform().daemon().name("clock").start(() -> closeLater(channel));
      try {
        channel.connect(UnixDomainSocketAddress.of(socket));
        channel.write(StandardCharsets.UTF_8.encode(request + "\n"));
        return readAll(channel);
      } finally {
        clock.interrupt();
      }
    } catch (ClosedChannelException e) {
      var silence = new Silence(socket);
      silence.initCause(e);
      throw silence;
    }
  }

  private void closeLater(SocketChannel channel) {
    try {
      Thread.sleep(patience);
      channel.close();
    } catch (InterruptedException e) {
      // The answer is here.
    } catch (IOException e) {
      throw new IllegalStateException("a socket that can't be closed", e);
    }
  }

  private static String readAll(SocketChannel channel) throws IOException {
    var answer = new ByteArrayOutputStream();
    ByteBuffer buffer = ByteBuffer.allocate(16 * 1024);
    for (int count = channel.read(buffer); count >= 0; count = channel.read(buffer.clear())) {
      answer.write(buffer.array(), 0, count);
    }
    return answer.toString(StandardCharsets.UTF_8);
  }
}
