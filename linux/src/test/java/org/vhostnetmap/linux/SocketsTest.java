// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.linux.libc.Native;

class SocketsTest {
  private static final int AF_INET = 2;

  @TempDir Path directory;

  @Test
  void tellsAListenerFromAConnection() throws Exception {
    UnixConnection[] pair = UnixConnection.pair();
    try (UnixListener listener = UnixListener.bind(directory.resolve("s"), 0600, null);
        UnixConnection left = pair[0];
        UnixConnection right = pair[1]) {
      assertTrue(Sockets.isListening(listener.fd()));
      assertFalse(Sockets.isListening(left.fd()));
      assertTrue(Sockets.isUnixStream(listener.fd()));
      assertTrue(Sockets.isUnixStream(right.fd()));
    }
  }

  @Test
  void knowsOtherSocketsAndFiles() throws Exception {
    try (Fd inet = new Fd(Native.C.socket(AF_INET, Sockets.SOCK_STREAM, 0));
        Fd datagram = new Fd(Native.C.socket(Sockets.AF_UNIX, Sockets.SOCK_DGRAM, 0));
        Fd event = EventFd.create()) {
      assertFalse(Sockets.isUnixStream(inet.value()));
      assertFalse(Sockets.isUnixStream(datagram.value()));
      ErrnoException noSocket =
          assertThrows(ErrnoException.class, () -> Sockets.isUnixStream(event.value()));
      assertEquals(Errno.ENOTSOCK, noSocket.errno());
    }
  }

  @Test
  void knowsThatNobodyIsAtTheOtherEndThoughSomethingIsUnread() throws Exception {
    UnixConnection[] pair = UnixConnection.pair();
    UnixConnection right = pair[1];
    try (UnixConnection left = pair[0]) {
      right.send(new byte[1], 0, 1, new int[0]);
      assertFalse(Sockets.hasHungUp(left.fd()));
      right.close();
      assertTrue(Sockets.hasHungUp(left.fd()));
      assertEquals(1, left.receive(new byte[1], 0, 1, new ArrayList<>()));
    }
  }
}
