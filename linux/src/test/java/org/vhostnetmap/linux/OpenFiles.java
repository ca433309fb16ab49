// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.function.Executable;

/** Counts what this process holds open. */
final class OpenFiles {
  private static final int ROUNDS = 50;

  private OpenFiles() {}

  static long files() throws IOException {
    try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"))) {
      return entries.count();
    }
  }

  static long mappingsOf(String name) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains(name)).count();
    }
  }

  /**
   * Runs {@code action} many times; no descriptor may stay. The first run loads classes and is not
   * counted.
   */
  static void assertNoneLeftBy(Executable action) throws Throwable {
    action.execute();
    long before = files();
    for (int i = 0; i < ROUNDS; i++) {
      action.execute();
    }
    assertEquals(before, files(), "descriptors open after " + ROUNDS + " rounds");
  }
}
