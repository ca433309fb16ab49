// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import jnr.unixsocket.UnixDatagramChannel;
import jnr.unixsocket.UnixSocketAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixDatagramTest {
  @TempDir Path folder;

  @Test
  void aMessageArrivesWholeAtAPath() throws Exception {
    String path = folder.resolve("notify").toString();
    try (UnixDatagramChannel receiver = UnixDatagramChannel.open()) {
      receiver.bind(new UnixSocketAddress(path));
      UnixDatagram.send(path, "READY=1".getBytes(UTF_8));
      ByteBuffer message = ByteBuffer.allocate(64);
      receiver.receive(message);
      assertEquals("READY=1", UTF_8.decode(message.flip()).toString());
    }
  }

  @Test
  void aMissingSocketIsTold() {
    String nowhere = folder.resolve("nowhere").toString();
    var e = assertThrows(ErrnoException.class, () -> UnixDatagram.send(nowhere, new byte[1]));
    assertEquals(Errno.ENOENT, e.errno());
  }

  @Test
  void anAbstractNameIsNoPath() {
    var e =
        assertThrows(
            ErrnoException.class, () -> UnixDatagram.send("@vhost-netmap-nobody", new byte[1]));
    assertEquals(Errno.ECONNREFUSED, e.errno());
  }

  @Test
  void anAddressThatDoesNotFitIsRefused() {
    var e =
        assertThrows(
            ErrnoException.class, () -> UnixDatagram.send("/" + "a".repeat(107), new byte[1]));
    assertEquals(Errno.ENAMETOOLONG, e.errno());
  }
}
