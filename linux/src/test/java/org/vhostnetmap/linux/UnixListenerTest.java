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
import java.nio.file.attribute.PosixFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnixListenerTest {
  private static final int PERMISSIONS = 07777;

  @TempDir Path directory;
  private Path path;

  @BeforeEach
  void choosePath() {
    path = directory.resolve("socket");
  }

  private UnixListener bind() throws ErrnoException {
    return UnixListener.bind(path, 0600, null);
  }

  private int bindError(Path where) {
    return assertThrows(ErrnoException.class, () -> UnixListener.bind(where, 0600, null)).errno();
  }

  @Test
  void acceptsWhoConnectsAndRemovesItsFile() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          try (UnixListener listener = bind()) {
            assertNull(listener.accept());
            try (UnixConnection client = UnixConnection.connect(path);
                UnixConnection server = listener.accept()) {
              assertNotNull(server);
              assertEquals(1, client.send(new byte[] {5}, 0, 1, new int[0]));
              byte[] got = new byte[8];
              assertEquals(1, server.receive(got, 0, 8, new ArrayList<>()));
              assertEquals(5, got[0]);
              assertEquals(ProcessHandle.current().pid(), server.peer().pid());
            }
          }
          assertFalse(Files.exists(path));
        });
  }

  @Test
  void leavesALiveSocketAlone() throws Throwable {
    try (UnixListener listener = bind()) {
      OpenFiles.assertNoneLeftBy(() -> assertEquals(Errno.EADDRINUSE, bindError(path)));
      assertTrue(Sockets.isListening(listener.fd()));
      UnixConnection.connect(path).close();
    }
  }

  @Test
  void takesAStaleSocketOver() throws Exception {
    try (UnixListener dead = bind()) {
      // Gone without unlinking, as after kill -9.
      Files.move(path, directory.resolve("saved"));
      assertTrue(Sockets.isUnixStream(dead.fd()));
    }
    Files.move(directory.resolve("saved"), path);
    assertTrue(Files.exists(path));
    try (UnixListener listener = bind()) {
      UnixConnection.connect(path).close();
      assertNotNull(listener.accept());
    }
  }

  @Test
  void neverRemovesWhatIsNoSocket() throws Exception {
    Files.writeString(path, "precious");
    assertEquals(Errno.EADDRINUSE, bindError(path));
    assertEquals("precious", Files.readString(path));
    Path link = Files.createSymbolicLink(directory.resolve("link"), path);
    assertEquals(Errno.EADDRINUSE, bindError(link));
    assertTrue(Files.isSymbolicLink(link));
  }

  @Test
  void removesOnlyItsOwnFileAtClose() throws Exception {
    UnixListener first = bind();
    Files.delete(path);
    try (UnixListener second = bind()) {
      first.close();
      assertTrue(Files.exists(path));
      UnixConnection.connect(path).close();
      assertNotNull(second.accept());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0600, 0660, 0666, 0777})
  void fileHasTheModeAskedFor(int mode) throws Exception {
    try (UnixListener listener = UnixListener.bind(path, mode, null)) {
      assertTrue(listener.fd() >= 0);
      assertEquals(mode, FileStatus.of(path).mode() & PERMISSIONS);
    }
  }

  /** What a second program sees while share() has not run yet: the mode that bind alone gives. */
  @Test
  void fileIsNeverMoreOpenThanAskedFor() throws Exception {
    try (JnrSocket socket = JnrSocket.listen(path, 0600)) {
      assertTrue(socket.isOpen());
      assertEquals(0600, FileStatus.of(path).mode() & PERMISSIONS);
    }
  }

  @Test
  void fileBelongsToTheGroupAskedFor() throws Exception {
    Assumptions.assumeTrue(
        "root".equals(System.getProperty("user.name")), "needs root to give a file away");
    try (UnixListener listener = UnixListener.bind(path, 0660, "daemon")) {
      assertTrue(listener.fd() >= 0);
      assertEquals(
          "daemon", Files.readAttributes(path, PosixFileAttributes.class).group().getName());
      assertEquals(0660, FileStatus.of(path).mode() & PERMISSIONS);
    }
  }

  @Test
  void unknownGroupLeavesNothingBehind() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          ErrnoException e =
              assertThrows(
                  ErrnoException.class, () -> UnixListener.bind(path, 0660, "no-such-group"));
          assertTrue(e.toString().contains("no group no-such-group"), e.getMessage());
          assertFalse(Files.exists(path));
        });
  }

  @Test
  void saysWhatIsWrongWithThePath() {
    assertEquals(Errno.ENOENT, bindError(directory.resolve("none/socket")));
    Path tooLong = directory.resolve("x".repeat(108));
    ErrnoException e =
        assertThrows(ErrnoException.class, () -> UnixListener.bind(tooLong, 0600, null));
    assertEquals(Errno.ENAMETOOLONG, e.errno());
    assertTrue(e.toString().contains("at most 107"), e.getMessage());
  }

  @Test
  void takesThePathOfMostBytes() throws Exception {
    int room = Sockets.MAX_PATH_BYTES - directory.toString().length() - 1;
    path = directory.resolve("x".repeat(room));
    try (UnixListener listener = bind()) {
      UnixConnection.connect(path).close();
      assertNotNull(listener.accept());
      assertTrue(Files.exists(path));
    }
  }

  @Test
  void adoptsASocketAndLeavesItsFile() throws Exception {
    try (UnixListener original = bind()) {
      try (UnixListener adopted = UnixListener.adopt(Fd.duplicate(original.fd()))) {
        UnixConnection.connect(path).close();
        assertNotNull(adopted.accept());
      }
      assertTrue(Files.exists(path));
    }
  }

  @Test
  void connectDoesNotWaitInAFullQueue() throws Exception {
    List<UnixConnection> waiting = new ArrayList<>();
    try (UnixListener listener = bind()) {
      assertTrue(listener.fd() >= 0);
      ErrnoException full =
          assertThrows(
              ErrnoException.class,
              () -> {
                for (int i = 0; i < 10_000; i++) {
                  waiting.add(UnixConnection.connect(path));
                }
              });
      assertEquals(Errno.EAGAIN, full.errno());
    } finally {
      waiting.forEach(UnixConnection::close);
    }
  }

  @Test
  void childProcessesInheritNoSocket() throws Exception {
    try (UnixListener listener = bind();
        UnixConnection client = UnixConnection.connect(path);
        UnixConnection server = listener.accept()) {
      assertNotNull(server);
      for (int fd : new int[] {listener.fd(), client.fd(), server.fd()}) {
        String info = Files.readString(Path.of("/proc/self/fdinfo/" + fd));
        // flags is octal; 02000000 is O_CLOEXEC, 04000 O_NONBLOCK.
        assertTrue(info.contains("flags:\t02004002"), info);
      }
    }
  }
}
