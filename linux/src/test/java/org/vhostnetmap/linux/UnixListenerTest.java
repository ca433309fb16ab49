// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixListenerTest {
  @TempDir Path directory;

  @Test
  void acceptsWhoConnectsAndRemovesItsFile() throws Exception {
    Path path = directory.resolve("socket");
    try (UnixListener listener = UnixListener.bind(path, 0600, null)) {
      assertNull(listener.accept());
      try (UnixConnection client = UnixConnection.connect(path);
          UnixConnection server = listener.accept()) {
        assertNotNull(server);
        assertEquals(1, client.send(new byte[] {5}, 0, 1, new int[0]));
      }
    }
    assertFalse(Files.exists(path));
  }

  @Test
  void leavesALiveSocketAlone() throws Exception {
    Path path = directory.resolve("socket");
    try (UnixListener listener = UnixListener.bind(path, 0600, null)) {
      ErrnoException refused =
          assertThrows(ErrnoException.class, () -> UnixListener.bind(path, 0600, null));
      assertEquals(Errno.EADDRINUSE, refused.errno());
      assertTrue(Sockets.isListening(listener.fd()));
    }
  }
}
