// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.linux.UnixListener;

/**
 * The program as its parent sees it: arguments in; exit status, standard output and standard error
 * out.
 */
@Timeout(60)
class ProcessTest {
  @TempDir Path folder;

  @Test
  void printCapabilitiesIsOneJsonObjectAndStatus0() throws Exception {
    var run = ProgramRun.toItsEnd("--print-capabilities", "--fd=99", "nonsense");
    assertEquals(0, run.status());
    assertEquals(Map.of("type", "net", "features", List.of()), StrictJson.object(run.out()));
    assertEquals("", run.err());
  }

  @Test
  void helpAndVersionAndExamplesGoToStandardOutput() throws Exception {
    for (String[] args :
        new String[][] {{"--help"}, {"--version"}, {"example", "qemu"}, {"example", "libvirt"}}) {
      var run = ProgramRun.toItsEnd(args);
      assertEquals(0, run.status(), run.err());
      assertTrue(
          run.out().startsWith("vhost-netmap") || run.out().contains("/tmp/vm0.sock"), run.out());
    }
  }

  @Test
  void aWrongPortEndsWith64AndACaret() throws Exception {
    var run = ProgramRun.toItsEnd("vhost:/tmp/a,queus=2");
    assertEquals(64, run.status());
    assertTrue(run.err().contains("unknown setting \"queus\""), run.err());
    assertTrue(run.err().contains("^"), run.err());
  }

  @Test
  void statusWithoutARunningProgramEndsWith69() throws Exception {
    Path left = folder.resolve("left.sock");
    try (UnixListener _ = UnixListener.bind(folder.resolve("made"), 0600, null)) {
      Files.move(folder.resolve("made"), left); // so that closing does not find it
    }
    var run = ProgramRun.toItsEnd("status", "--control", left.toString());
    assertEquals(69, run.status());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  @Test
  void whatCanNotBeOpenedEndsWithItsStatusAndOneLineThatSaysWhatToDo() throws Exception {
    Path plain = Files.createFile(folder.resolve("plain"));
    Path taken = folder.resolve("taken.sock");
    try (UnixListener _ = UnixListener.bind(taken, 0600, null)) {
      assertFails(66, "make it first", "vhost:" + folder.resolve("none/a.sock"), "null:");
      assertFails(66, "is not open", "--fd=87", "null:");
      assertFails(73, "is no socket", "vhost:" + plain, "null:");
      assertFails(73, "is no socket", "--control=" + plain, "null:");
      assertFails(75, "socket in use", "vhost:" + taken, "null:");
      assertFails(78, "two ports", "vhost:" + taken, "vhost:" + folder.resolve("./taken.sock"));
      assertFails(78, "no group", "--socket-group=no-such-group", "null:");
    }
    assertTrue(Files.exists(plain), "a file of somebody else was removed");
  }

  @Test
  void withoutTheRightToOpenATapItEndsWith77() throws Exception {
    Object uid = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    assumeTrue(!uid.equals(0), "root may open any TAP: run as a user to see this one");
    assertFails(77, "CAP_NET_ADMIN", "tap:vntest0", "null:");
  }

  private void assertFails(int status, String advice, String... args) throws Exception {
    var run = ProgramRun.toItsEnd(Map.of("XDG_RUNTIME_DIR", folder.toString()), args);
    assertEquals(status, run.status(), run.err());
    assertTrue(run.err().contains(advice), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  @Test
  void aSocketHasTheModeAskedFor() throws Exception {
    Path guest = folder.resolve("guest.sock");
    String control = "--control=" + folder.resolve("control.sock");
    try (var run = ProgramRun.start(Map.of(), control, "--socket-mode=0660", "vhost:" + guest)) {
      run.waitFor("waiting for a front-end");
      assertEquals(
          "rw-rw----", PosixFilePermissions.toString(Files.getPosixFilePermissions(guest)));
      run.terminate();
      assertEquals(0, run.status());
    }
  }

  @Test
  void sigtermEndsWith0AndLeavesNoFile() throws Exception {
    Path guest = folder.resolve("guest.sock");
    Path control = folder.resolve("control.sock");
    try (var run = ProgramRun.start(Map.of(), "--control=" + control, "vhost:" + guest, "null:")) {
      run.waitFor("waiting for a front-end");
      assertTrue(Files.exists(control));
      long start = System.nanoTime();
      run.terminate();
      assertEquals(0, run.status(), run.err());
      long millis = (System.nanoTime() - start) / 1_000_000;
      assertTrue(millis < 1000, "took " + millis + " ms");
      assertFalse(Files.exists(guest) || Files.exists(control), "a socket's file stayed");
    }
  }

  @Test
  void whenDescriptorsRunOutTheControlSocketIsDeafForASecondOnly() throws Exception {
    Path control = folder.resolve("control.sock");
    try (var run = ProgramRun.start(Map.of(), "--control=" + control, "null:")) {
      run.waitFor("forgets every frame");
      assumeTrue(limitDescriptors(run.pid()), "no prlimit here: can't run out of descriptors");
      List<SocketChannel> clients = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        clients.add(SocketChannel.open(UnixDomainSocketAddress.of(control)));
      }
      run.waitFor("has to let clients wait");
      for (SocketChannel client : clients) {
        client.close();
      }
      var patient = new ControlClient(Duration.ofSeconds(20));
      assertTrue(patient.ask(control, "status text").contains("null:"));
      run.terminate();
      assertEquals(0, run.status(), run.err());
    }
  }

  /** Leaves the process a handful of file descriptors. */
  private static boolean limitDescriptors(long pid) throws IOException, InterruptedException {
    int highest = 0;
    try (var open = Files.newDirectoryStream(Path.of("/proc", "" + pid, "fd"))) {
      for (Path fd : open) {
        highest = Math.max(highest, Integer.parseInt(fd.getFileName().toString()));
      }
    }
    try {
      String limit = "--nofile=" + (highest + 4) + ":";
      return new ProcessBuilder("prlimit", "--pid", "" + pid, limit).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void theServiceManagerIsToldOfStartAndEnd() throws Exception {
    var notify = folder.resolve("notify");
    try (var receiver = new NotifySocket(notify);
        var run =
            ProgramRun.start(
                Map.of("NOTIFY_SOCKET", notify.toString()),
                "--control=" + folder.resolve("c.sock"),
                "null:")) {
      assertEquals("READY=1", receiver.next());
      run.terminate();
      assertEquals("STOPPING=1", receiver.next());
      assertEquals(0, run.status(), run.err());
    }
  }

  @Test
  void underTheJournalLinesCarryTheirLevel() throws IOException, InterruptedException {
    Path journal = Files.createFile(folder.resolve("journal"));
    Map<String, Object> file = Files.readAttributes(journal, "unix:dev,ino");
    var stream = Map.of("JOURNAL_STREAM", file.get("dev") + ":" + file.get("ino"));
    try (var run = ProgramRun.start(stream, journal, "nonsense")) {
      assertEquals(64, run.status());
      List<String> lines = Files.readAllLines(journal);
      assertTrue(lines.size() > 1, lines.toString());
      assertTrue(lines.stream().allMatch(line -> line.startsWith("<3>")), lines.toString());
    }
    // Its child's standard error is ours, a pipe.
    var child = ProgramRun.toItsEnd(stream, "nonsense");
    assertTrue(child.err().startsWith("vhost-netmap: "), child.err());
  }
}
