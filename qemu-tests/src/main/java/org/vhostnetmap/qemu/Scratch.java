// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A new directory for sockets and logs that is gone after {@link #close}. Its path is short,
 * because the path of a unix socket must not be longer than 107 bytes.
 */
public final class Scratch implements AutoCloseable {
  private final Path directory;

  /** Makes the directory, for this user only. */
  public Scratch() throws IOException {
    directory = Files.createTempDirectory(Path.of("/tmp"), "vn");
  }

  /** The path of {@code name} in the directory; nothing is created. */
  public Path path(String name) {
    return directory.resolve(name);
  }

  @Override
  public void close() {
    try (Stream<Path> found = Files.walk(directory)) {
      List<Path> deepestFirst = found.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
