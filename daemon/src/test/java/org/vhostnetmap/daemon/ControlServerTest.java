// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.UnixListener;

@Timeout(30)
class ControlServerTest {
  private static final String LONG_ANSWER = "x".repeat(8 << 20);

  @TempDir Path folder;
  private Path socket;
  private EventLoop loop;
  private ControlServer server;
  private final ControlClient client = new ControlClient(Duration.ofSeconds(10));

  @BeforeEach
  void start() throws IOException {
    socket = folder.resolve("control.sock");
    loop = new EventLoop("control");
    server =
        new ControlServer(
            loop,
            UnixListener.bind(socket, 0600, null),
            request -> request.equals("long") ? LONG_ANSWER : "answer to " + request);
    loop.start();
  }

  @AfterEach
  void stop() throws Exception {
    loop.call(
        () -> {
          server.close();
          return true;
        });
    loop.close();
    assertFalse(Files.exists(socket), "the socket's file stayed");
  }

  @Test
  void answersOneLineAndCloses() throws IOException {
    assertEquals("answer to status text", client.ask(socket, "status text"));
  }

  @Test
  void anAnswerLargerThanTheSocketHoldsArrivesWhole() throws IOException {
    assertEquals(LONG_ANSWER, client.ask(socket, "long"));
  }

  @Test
  void onlyTheOwnerMayAsk() throws IOException {
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
  }

  @Test
  void aRequestInPiecesIsOneRequest() throws IOException {
    try (SocketChannel slow = connect()) {
      for (char c : "ab\n".toCharArray()) {
        slow.write(UTF_8.encode(String.valueOf(c)));
      }
      assertEquals("answer to ab", rest(slow));
    }
  }

  @Test
  void aLineThatNeverEndsIsCutOff() throws IOException {
    try (SocketChannel hostile = connect()) {
      hostile.write(ByteBuffer.allocate(ControlServer.MAX_REQUEST));
      assertEquals("", rest(hostile));
    }
  }

  @Test
  void clientsThatNeverReadOrSendHalfALineHoldUpNobody() throws IOException {
    List<SocketChannel> hostile = new ArrayList<>();
    try {
      for (int i = 0; i < 3 * ControlServer.MAX_CLIENTS; i++) {
        SocketChannel next = connect();
        next.write(UTF_8.encode(i % 2 == 0 ? "long\n" : "half a li"));
        hostile.add(next);
        assertEquals("answer to " + i, client.ask(socket, "" + i));
      }
    } finally {
      for (SocketChannel each : hostile) {
        each.close();
      }
    }
  }

  @Test
  void aClientThatSaysNothingIsDroppedInTime() throws IOException {
    try (SocketChannel silent = connect()) {
      long start = System.nanoTime();
      assertEquals("", rest(silent)); // ends only because the server closes
      long millis = (System.nanoTime() - start) / 1_000_000;
      long late = Math.abs(millis - ControlServer.PATIENCE.toMillis());
      assertTrue(late < 1_500, "after " + millis + " ms");
    }
  }

  @Test
  void aClientThatGoesAwayIsForgotten() throws IOException {
    for (int i = 0; i < 100; i++) {
      try (SocketChannel gone = connect()) {
        gone.write(UTF_8.encode("long\n"));
      }
    }
    assertEquals("answer to still there", client.ask(socket, "still there"));
  }

  @Test
  void aSilentServerIsToldApartFromADeadOne() throws Exception {
    Path mute = folder.resolve("mute.sock");
    try (UnixListener _ = UnixListener.bind(mute, 0600, null)) {
      var hasty = new ControlClient(Duration.ofMillis(50));
      assertThrows(ControlClient.Silence.class, () -> hasty.ask(mute, "hello"));
    }
  }

  @Test
  void askingOneWhoseQueueIsFullEndsInTime() throws Exception {
    Path stopped = folder.resolve("stopped.sock");
    List<SocketChannel> waiting = new ArrayList<>();
    try (UnixListener _ = UnixListener.bind(stopped, 0600, null)) {
      fill(stopped, waiting);
      var hasty = new ControlClient(Duration.ofMillis(100));
      assertThrows(ControlClient.Silence.class, () -> hasty.ask(stopped, "hello"));
    } finally {
      for (SocketChannel each : waiting) {
        each.close();
      }
    }
  }

  private static void fill(Path listener, List<SocketChannel> waiting) throws IOException {
    for (int i = 0; i < 10_000; i++) {
      SocketChannel next = SocketChannel.open(StandardProtocolFamily.UNIX);
      waiting.add(next);
      next.configureBlocking(false);
      try {
        next.connect(UnixDomainSocketAddress.of(listener));
      } catch (IOException e) {
        return; // EAGAIN: the queue is full
      }
    }
    throw new AssertionError("a queue without an end");
  }

  private SocketChannel connect() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(socket));
    return channel;
  }

  private static String rest(SocketChannel channel) throws IOException {
    var text = new StringBuilder();
    ByteBuffer buffer = ByteBuffer.allocate(4096);
    while (channel.read(buffer.clear()) >= 0) {
      text.append(UTF_8.decode(buffer.flip()));
    }
    return text.toString();
  }
}
