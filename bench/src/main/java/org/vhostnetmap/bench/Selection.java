// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Which rows, and how long each one is measured.
 *
 * @param quick few pairs of windows, and only the rows that tell most
 * @param words each row must have one of the alternatives of each of them: {@code TX 64,1514}
 */
record Selection(boolean quick, List<String> words) {
  private static final int PAIRS = 20;
  private static final int QUICK_PAIRS = 5;

  /** Alternatives of one word. */
  static List<String> alternatives(String word) {
    return Arrays.asList(word.split(",", -1));
  }

  /** Whether a row that has these words is wanted; a section's name is one of them. */
  boolean wants(List<String> row) {
    return words.stream().noneMatch(word -> Collections.disjoint(row, alternatives(word)));
  }

  boolean wants(String... row) {
    return wants(Arrays.asList(row));
  }

  /** Pairs of windows a row. */
  int pairs() {
    return quick ? QUICK_PAIRS : PAIRS;
  }
}
