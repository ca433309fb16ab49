// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Prints Markdown as it comes: it can be pasted into docs/performance.md as it is. */
final class Report {
  private final PrintStream out;
  private final List<String> below = new ArrayList<>();
  private final long start = System.nanoTime();
  private int rows;
  private int pairs;
  private int retaken;
  private int disturbed;

  Report(PrintStream out) {
    this.out = out;
  }

  /** One line on standard error, with the seconds since the start. */
  void progress(String text) {
    System.err.printf("[%3ds] %s%n", (System.nanoTime() - start) / 1_000_000_000, text);
  }

  /** A heading. */
  void title(String text) {
    out.println("\n## " + text);
  }

  /** A paragraph. */
  void note(String text) {
    out.println("\n" + text);
  }

  /** The head of a table; rows follow. */
  void table(String... columns) {
    out.println("\n| " + String.join(" | ", columns) + " |");
    out.println("|" + "---|".repeat(columns.length));
  }

  /** A row without a verdict. */
  void row(String... cells) {
    out.println("| " + String.join(" | ", cells) + " |");
    out.flush();
  }

  /**
   * A row that is to reach a ratio.
   *
   * @param name what it is called among those that do not reach it
   * @param ratio ours to the peer's, where more is better
   */
  void row(String name, double ratio, double wanted, String... cells) {
    row(cells);
    rows++;
    if (!(ratio >= wanted)) {
      below.add("%s %.2f (wanted %.2f)".formatted(name, ratio, wanted));
    }
  }

  /** Rows that could not be measured count as judged and as short. */
  void failed(String name, Exception why) {
    rows++;
    below.add(name + " failed: " + why.getMessage());
    progress(name + ": " + why);
  }

  /** Notes how quiet the machine was. */
  void count(Contender.Turns<?> turns) {
    pairs += turns.ours().size();
    retaken += turns.retaken();
    disturbed += turns.disturbed();
  }

  /** How many rows were judged, and those that fell short. */
  void verdict() {
    if (pairs > 0) {
      note(
          ("Pairs of windows of the vhost and NIC rows: %d. Taken again because other programs had"
                  + " more than %.0f %% of a processor: %d; kept in spite of that: %d.")
              .formatted(pairs, Contender.DISTURBED * 100, retaken, disturbed));
    }
    note(below.size() + " of " + rows + " judged rows fall short.");
    out.println();
    below.forEach(row -> out.println("- " + row));
  }
}
