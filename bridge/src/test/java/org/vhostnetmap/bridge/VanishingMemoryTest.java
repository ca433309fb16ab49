// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A guest's memory file is cut short under traffic (T-sigbus): its front-end is dropped with a
 * reason, the others lose nothing, the process lives, whatever HotSpot had compiled by then.
 */
final class VanishingMemoryTest {
  @ParameterizedTest
  @CsvSource({
    "true,false,0",
    "false,true,0",
    "true,true,0",
    "true,true,1048576",
    "true,true,2097152"
  })
  void underTrafficCostsOnlyItsOwner(boolean source, boolean sink, long left) throws Exception {
    VanishingMemory.run(source, sink, left);
  }

  @Test
  void betweenTwoPollsCostsOnlyItsOwner() throws Exception {
    VanishingMemory.run(false, false, 0);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1 << 20, 2 << 20})
  void inTheMiddleOfSegmentationCostsOnlyItsOwner(long left) throws Exception {
    VanishingMemory.runSegmenting(left);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-Xint",
        "-XX:TieredStopAtLevel=1",
        "-XX:-TieredCompilation",
        "@../scripts/lib/compiler.options"
      })
  void isSurvivedByAJvmOfEachKind(String kind) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add(kind.startsWith("@") ? "@" + Path.of(kind.substring(1)).toAbsolutePath() : kind);
    command.add("-XX:-CreateCoredumpOnCrash");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(VanishingMemory.class.getName());
    command.add(kind.equals("-Xint") ? "1" : "3");
    File log = File.createTempFile("vanishing", ".log");
    try {
      Process child =
          new ProcessBuilder(command)
              .directory(log.getParentFile())
              .redirectErrorStream(true)
              .redirectOutput(log)
              .start();
      int exit = child.waitFor();
      assertEquals(0, exit, () -> tail(log));
    } finally {
      log.delete();
    }
  }

  private static String tail(File log) {
    try {
      String all = java.nio.file.Files.readString(log.toPath(), StandardCharsets.UTF_8);
      return all.substring(Math.max(0, all.length() - 4000));
    } catch (java.io.IOException e) {
      return e.toString();
    }
  }
}
