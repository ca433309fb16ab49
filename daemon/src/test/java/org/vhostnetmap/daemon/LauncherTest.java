// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code scripts/vhost-netmap} in a checkout of its own, with a java and a Maven that only tell how
 * they are called; how it starts the program is seen by every test in qemu-tests.
 */
@Timeout(60)
class LauncherTest {
  private static final Path SCRIPTS = Path.of("..", "scripts").toAbsolutePath();

  /** What the launcher needs besides bash; Maven comes by {@link #maven} or not at all. */
  private static final List<String> TOOLS =
      List.of(
          "bash dirname env find flock grep mkdir mv readlink rm sleep touch uname".split(" ", -1));

  /** Hides every folder that a JDK may be in, for one process in a mount namespace of its own. */
  private static final String WITHOUT_JAVA =
      """
      for folder in /usr/lib/jvm /opt /usr/java /usr/local; do
        [ ! -d $folder ] || mount -t tmpfs none $folder || exit 99
      done
      exec env -u JAVA_HOME HOME=/nowhere PATH=/usr/bin:/bin "$0" --version
      """;

  private static final String READ_ONLY =
      """
      mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 99
      exec "$0/scripts/vhost-netmap" word
      """;

  @TempDir Path folder;
  private Path root;
  private Path bin;
  private Path jdk;
  private Path jar;

  @BeforeEach
  void makeCheckout() throws IOException {
    root = Files.createDirectories(folder.resolve("check out"));
    bin = Files.createDirectories(folder.resolve("bin"));
    jdk = folder.resolve("jdk");
    Files.createDirectories(jdk.resolve("bin"));
    jar = root.resolve("daemon/target/runtime/vhost-netmap.jar");
    for (String script : List.of("vhost-netmap", "lib/java.sh", "lib/maven.sh")) {
      Path copy = root.resolve("scripts").resolve(script);
      Files.createDirectories(copy.getParent());
      Files.copy(SCRIPTS.resolve(script), copy);
    }
    Files.createDirectories(root.resolve("daemon/src/main"));
    Files.createFile(root.resolve("pom.xml"));
    for (String tool : TOOLS) {
      Files.createSymbolicLink(bin.resolve(tool), Path.of("/usr/bin", tool));
    }
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"25\"\n");
    program(jdk.resolve("bin/javac"), "");
    program(jdk.resolve("bin/java"), "echo \"started ${*: -2}\"");
  }

  @Test
  void withoutAJava25ItSaysWhatToInstallAndEndsWith69() throws Exception {
    assumeNamespaces();
    String launcher = SCRIPTS.resolve("vhost-netmap").toString();
    outcome(run("unshare", "-rm", "sh", "-c", WITHOUT_JAVA, launcher)).assertEnds(69, "JDK 25");
  }

  @Test
  void withoutMavenItSaysWhatToInstallAndEndsWith69() throws Exception {
    launch().assertEnds(69, "install the package maven");
  }

  @Test
  void withNothingBuiltAndNoLeaveToBuildItEndsWith69() throws Exception {
    maven("");
    launch("env", "VHOST_NETMAP_BUILD=never").assertEnds(69, "nothing is built");
  }

  @Test
  void whereNothingMayBeWrittenItUsesWhatIsThere() throws Exception {
    assumeNamespaces();
    maven("echo called");
    outcome(run("unshare", "-rm", "sh", "-c", READ_ONLY, root.toString()))
        .assertEnds(73, "can't write");
    build(jar);
    Files.setLastModifiedTime(jar, FileTime.fromMillis(1)); // stale
    Outcome outcome = outcome(run("unshare", "-rm", "sh", "-c", READ_ONLY, root.toString()));
    assertEquals("started org.vhostnetmap.daemon.Main word\n", outcome.output());
  }

  @Test
  void whatIsEditedDuringTheBuildIsBuiltByTheNextStart() throws Exception {
    Path source = root.resolve("daemon/src/main/A.java");
    maven("sleep 0.05; touch '" + source + "'; sleep 0.05; touch '" + jar + "'");
    assertEquals(1, builds(launch()));
    maven("touch '" + jar + "'");
    assertEquals(1, builds(launch()), "the edit was hidden");
    assertEquals(0, builds(launch()), "built without need");
  }

  @Test
  void aSecondFirstUserIsToldThatItWaitsAndDoesNotBuildAgain() throws Exception {
    Path go = folder.resolve("go");
    maven("while [ ! -e '" + go + "' ]; do sleep 0.05; done; touch '" + jar + "'");
    Path log = folder.resolve("second");
    Process first = launcher().start();
    Awaitility.await().until(() -> Files.exists(jar.resolveSibling("built.new")));
    Process second = launcher().redirectErrorStream(true).redirectOutput(log.toFile()).start();
    Awaitility.await().until(() -> Files.readString(log).contains("waiting for another start"));
    Files.createFile(go);
    assertEquals(0, first.waitFor());
    assertEquals(0, second.waitFor());
    assertEquals(0, builds(new Outcome(0, Files.readString(log))));
  }

  private record Outcome(int status, String output) {
    void assertEnds(int expected, String words) {
      assertEquals(expected, status, output);
      assertEquals(1, output.lines().count(), output);
      assertTrue(output.contains(words), output);
    }
  }

  private static long builds(Outcome outcome) {
    assertEquals(0, outcome.status(), outcome.output());
    assertTrue(outcome.output().contains("started"), outcome.output());
    return outcome.output().lines().filter(line -> line.contains(": building")).count();
  }

  private void maven(String script) throws IOException {
    program(bin.resolve("mvn"), script);
  }

  private static void program(Path path, String script) throws IOException {
    Files.writeString(path, "#!/bin/bash\n" + script + "\n");
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
  }

  private static void build(Path jar) throws IOException {
    Files.createDirectories(jar.getParent());
    Files.createFile(jar);
  }

  private static void assumeNamespaces() throws Exception {
    Process process = new ProcessBuilder("unshare", "-rm", "true").start();
    assumeTrue(process.waitFor() == 0, "no user namespaces here: can't hide or protect folders");
  }

  private Outcome launch(String... before) throws Exception {
    return outcome(launcher(before).redirectErrorStream(true));
  }

  private ProcessBuilder launcher(String... before) {
    List<String> command = new ArrayList<>(List.of(before));
    command.add(root.resolve("scripts/vhost-netmap").toString());
    command.add("word");
    var builder = new ProcessBuilder(command);
    builder.environment().put("JAVA_HOME", jdk.toString());
    builder.environment().put("PATH", bin.toString());
    builder.environment().remove("VHOST_NETMAP_JAVA_OPTS");
    return builder;
  }

  /** With the tools of this machine, and our JDK. */
  private ProcessBuilder run(String... command) {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("JAVA_HOME", jdk.toString());
    return builder;
  }

  private static Outcome outcome(ProcessBuilder builder) throws Exception {
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Outcome(process.waitFor(), output);
  }
}
