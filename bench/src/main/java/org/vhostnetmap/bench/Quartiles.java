// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.Arrays;

/** The middle of what was measured, and how wide the middle half is. */
record Quartiles(double low, double median, double high) {
  static Quartiles of(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return new Quartiles(quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75));
  }

  static double median(double... values) {
    return of(values).median;
  }

  private static double quantile(double[] sorted, double share) {
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }

  /** As a cell of a table: a ratio. */
  String ratio() {
    return "**%.2f** (%.2f to %.2f)".formatted(median, low, high);
  }
}
