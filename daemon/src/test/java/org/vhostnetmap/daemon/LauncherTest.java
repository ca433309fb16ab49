// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * {@code scripts/vhost-netmap} before there is a Java; how it starts one is seen by every test in
 * qemu-tests.
 */
@Timeout(60)
class LauncherTest {
  private static final Path LAUNCHER = Path.of("..", "scripts", "vhost-netmap").toAbsolutePath();

  /** Hides every folder that a JDK may be in, for one process in a mount namespace of its own. */
  private static final String WITHOUT_JAVA =
      """
      for folder in /usr/lib/jvm /opt /usr/java /usr/local; do
        [ ! -d $folder ] || mount -t tmpfs none $folder || exit 99
      done
      exec env -u JAVA_HOME HOME=/nowhere PATH=/usr/bin:/bin "$0" --version
      """;

  @Test
  void withoutAJava25ItSaysWhatToInstallAndEndsWith69() throws Exception {
    assumeTrue(
        run("unshare", "-rm", "true").status() == 0, "no user namespaces here: can't hide the JDK");
    Outcome outcome = run("unshare", "-rm", "sh", "-c", WITHOUT_JAVA, LAUNCHER.toString());
    assertEquals(69, outcome.status(), outcome.output());
    assertEquals(1, outcome.output().lines().count(), outcome.output());
    assertTrue(outcome.output().contains("JDK 25"), outcome.output());
  }

  private record Outcome(int status, String output) {}

  private static Outcome run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(List.of(command)).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Outcome(process.waitFor(), output);
  }
}
