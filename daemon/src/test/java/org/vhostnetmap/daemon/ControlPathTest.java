// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.UnixListener;

@Timeout(30)
class ControlPathTest {
  @TempDir Path folder;

  @Test
  void theFolderDependsOnTheUserAlone() {
    assertEquals(
        folder.resolve("vhost-netmap"),
        ControlPath.folder(Map.of("XDG_RUNTIME_DIR", folder.toString()), 1000));
    assertEquals(Path.of("/run/vhost-netmap"), ControlPath.folder(Map.of(), 0));
    assertEquals(Path.of("/tmp/vhost-netmap-1000"), ControlPath.folder(Map.of(), 1000));
    assertEquals(
        Path.of("/tmp/vhost-netmap-1000"),
        ControlPath.folder(Map.of("XDG_RUNTIME_DIR", "/nowhere/at/all"), 1000));
  }

  @Test
  void aFolderThatIsNotThereHoldsNoSockets() throws IOException {
    assertEquals(List.of(), ControlPath.sockets(folder.resolve("none")));
  }

  @Test
  void statusFindsTheOneThatRunsAndRemovesWhatADeadOneLeft() throws Exception {
    long ended = pidOfOneThatEnded();
    Path dead = leftBehind(ended + ".sock");
    // Its process lives: it may be between bind and listen.
    Path starting = leftBehind(ProcessHandle.current().pid() + ".sock");
    var command = new StatusCommand(new ControlClient(Duration.ofSeconds(10)), List.of(folder));
    assertStatus(ExitStatus.UNAVAILABLE, command, null);
    assertFalse(Files.exists(dead));
    assertTrue(Files.exists(starting), "removed the socket of a process that starts");

    try (EventLoop loop = new EventLoop("control")) {
      new ControlServer(
          loop, UnixListener.bind(folder.resolve("2.sock"), 0600, null), r -> r + "!");
      loop.start();
      assertEquals("status text!", command.answer(new Command.Status(false, null)));
      assertEquals("status json!", command.answer(new Command.Status(true, null)));
      assertEquals(
          "status json!", command.answer(new Command.Status(true, folder.resolve("2.sock"))));
    }
  }

  @Test
  void whereADaemonOfAnotherEnvironmentMayBeIsSearchedToo() throws Exception {
    List<Path> folders = ControlPath.folders(Map.of("XDG_RUNTIME_DIR", folder.toString()), 0);
    assertEquals(folder.resolve("vhost-netmap"), folders.getFirst());
    assertTrue(folders.contains(ControlPath.folder(Map.of(), 0)), folders.toString());
    folders = ControlPath.folders(Map.of(), 1000);
    assertTrue(folders.contains(Path.of("/run/user/1000/vhost-netmap")), folders.toString());

    Path service = Files.createDirectory(folder.resolve("service"));
    Path login = Files.createDirectory(folder.resolve("login"));
    var client = new ControlClient(Duration.ofSeconds(10));
    var command = new StatusCommand(client, List.of(login, service));
    try (EventLoop loop = new EventLoop("control")) {
      new ControlServer(loop, UnixListener.bind(service.resolve("2.sock"), 0600, null), r -> r);
      loop.start();
      assertEquals("status text", command.answer(new Command.Status(false, null)));
    }
  }

  @Test
  void oneThatHangsDoesNotHideTheOneThatAnswers() throws Exception {
    var command = new StatusCommand(new ControlClient(Duration.ofMillis(500)), List.of(folder));
    Path mute = folder.resolve("1.sock");
    try (UnixListener _ = UnixListener.bind(mute, 0600, null);
        EventLoop loop = new EventLoop("control")) {
      Failure failure = assertStatus(ExitStatus.TEMPORARY, command, null);
      assertTrue(failure.getMessage().contains(mute.toString()), failure.getMessage());
      new ControlServer(loop, UnixListener.bind(folder.resolve("2.sock"), 0600, null), r -> r);
      loop.start();
      assertEquals("status text", command.answer(new Command.Status(false, null)));
    }
  }

  @Test
  void ofSeveralTheUserChooses() throws Exception {
    var command = new StatusCommand(new ControlClient(Duration.ofSeconds(10)), List.of(folder));
    try (EventLoop loop = new EventLoop("control")) {
      for (String name : List.of("1.sock", "2.sock")) {
        new ControlServer(loop, UnixListener.bind(folder.resolve(name), 0600, null), r -> r);
      }
      loop.start();
      Failure failure = assertStatus(ExitStatus.USAGE, command, null);
      assertTrue(failure.getMessage().contains("--control " + folder.resolve("2.sock")));
    }
  }

  @Test
  void aNamedSocketThatCanNotAnswerIsToldByItsStatus() throws Exception {
    var command = new StatusCommand(new ControlClient(Duration.ofMillis(50)), List.of(folder));
    assertStatus(ExitStatus.NO_INPUT, command, folder.resolve("none.sock"));
    assertStatus(ExitStatus.UNAVAILABLE, command, leftBehind("1.sock"));
    Path mute = folder.resolve("mute.sock");
    try (UnixListener _ = UnixListener.bind(mute, 0600, null)) {
      assertStatus(ExitStatus.TEMPORARY, command, mute);
    }
  }

  private static Failure assertStatus(
      ExitStatus status, StatusCommand command, @Nullable Path control) {
    Failure failure =
        assertThrows(Failure.class, () -> command.answer(new Command.Status(false, control)));
    assertEquals(status, failure.status(), failure.getMessage());
    return failure;
  }

  private static long pidOfOneThatEnded() throws Exception {
    Process process = new ProcessBuilder("true").start();
    process.waitFor();
    return process.pid();
  }

  /** A socket's file whose process was killed: moved away, so that closing does not find it. */
  private Path leftBehind(String name) throws IOException {
    Path moved = folder.resolve(name);
    try (UnixListener listener = UnixListener.bind(folder.resolve("made"), 0600, null)) {
      assertTrue(listener.fd() >= 0);
      Files.move(folder.resolve("made"), moved);
    }
    return moved;
  }
}
