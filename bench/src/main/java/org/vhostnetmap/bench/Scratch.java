// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A folder for sockets and logs that goes away with its owner. */
final class Scratch implements AutoCloseable {
  private final Path path = Files.createTempDirectory("vnmbench");
  private final AtExit.Undoing removal =
      () -> TestNetwork.run(List.of("rm", "-rf", path.toString()));

  Scratch() throws IOException {
    AtExit.add(removal);
  }

  Path path() {
    return path;
  }

  @Override
  public void close() throws IOException {
    AtExit.remove(removal);
    TestNetwork.run(List.of("rm", "-rf", path.toString()));
  }
}
