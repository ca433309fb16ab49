// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What other programs used of processors 0 and 1 in a window. A program under test that sleeps does
 * not count: only what somebody else had.
 */
final class Processors {
  private static final double TICK_SECONDS = 0.01;

  /** /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
  private static final int[] BUSY = {1, 2, 3, 6, 7, 8};

  private final List<Child> ours;
  private final double others;
  private final long nanos = System.nanoTime();

  /** Begins a window in which these children, and this program, are not the others. */
  Processors(List<Child> ours) throws IOException {
    this.ours = ours;
    others = others(ours);
  }

  private static double others(List<Child> ours) throws IOException {
    double busy = 0;
    for (String line : Files.readAllLines(Path.of("/proc/stat"))) {
      if (line.startsWith("cpu0 ") || line.startsWith("cpu1 ")) {
        String[] words = line.split(" +", -1);
        for (int column : BUSY) {
          busy += Long.parseLong(words[column]) * TICK_SECONDS;
        }
      }
    }
    busy -= Child.time("self").total();
    for (Child child : ours) {
      busy -= child.time().total();
    }
    return busy;
  }

  /** The share of one processor that others had since the beginning; 0 if nobody is known. */
  double othersShare() throws IOException {
    return ours.isEmpty() ? 0 : (others(ours) - others) * 1e9 / (System.nanoTime() - nanos);
  }
}
