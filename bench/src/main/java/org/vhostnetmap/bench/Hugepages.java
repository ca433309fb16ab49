// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Makes huge pages for DPDK where there are too few, and leaves their number as it was. */
final class Hugepages implements AutoCloseable {
  private static final Path NUMBER = Path.of("/proc/sys/vm/nr_hugepages");
  private static final int TRIES = 5;

  private final long before;
  private final boolean enough;

  /** Tries to have at least so many. */
  Hugepages(int wanted) throws IOException {
    before = number();
    if (before < wanted) {
      AtExit.add(this::restore);
      // The kernel may have to move other memory out of the way first.
      for (int i = 0; i < TRIES && number() < wanted; i++) {
        Files.writeString(NUMBER, Integer.toString(wanted));
      }
    }
    enough = number() >= wanted;
  }

  private static long number() throws IOException {
    // Not readString: it begins with one byte, and such a file has no second read.
    return Long.parseLong(Files.readAllLines(NUMBER).getFirst());
  }

  /** DPDK's options for the memory of one program: huge pages if there are enough. */
  List<String> options(int mebibytes) {
    String size = Integer.toString(mebibytes);
    return enough
        ? List.of("--in-memory", "--single-file-segments", "-m", size)
        : List.of("--no-huge", "-m", size);
  }

  String description() {
    return enough ? "huge pages of 2 MiB" : "pages of 4 KiB (no huge pages to be had)";
  }

  private void restore() {
    try {
      if (number() != before) {
        Files.writeString(NUMBER, Long.toString(before));
      }
    } catch (IOException e) {
      System.err.println("huge pages: " + e.getMessage());
    }
  }

  @Override
  public void close() {
    restore();
  }
}
