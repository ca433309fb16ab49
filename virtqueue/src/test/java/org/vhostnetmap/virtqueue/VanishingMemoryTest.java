// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guest memory that its owner truncates (SIGBUS): an error in the one thread, never the end. */
class VanishingMemoryTest {
  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "-Xint, 0",
    "-XX:TieredStopAtLevel=1, 0",
    "-XX:TieredStopAtLevel=1, 20000",
    "-XX:-TieredCompilation, 0",
    "-XX:-TieredCompilation, 60000",
    "-XX:+TieredCompilation, 60000"
  })
  void vanishesUnderEveryCallWithoutHarmToTheProcess(String mode, String warmUp)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(mode, "-XX:-CreateCoredumpOnCrash", "-Xshare:auto"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.addAll(List.of(VanishingMemoryMain.class.getName(), warmUp));
    Process child =
        new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(child.waitFor(30, TimeUnit.SECONDS), "the child ends");
    System.out.println(mode + " " + warmUp + ": " + output.replace('\n', ' '));
    assertEquals(0, child.exitValue(), output);
  }
}
