// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The warm-up of one side: what it moved in each of its first fractions of a second. */
record Ramp(List<Step> steps) {
  private static final long STEP_MILLIS = 250;
  private static final double STEADY = 0.9;

  /** So much a second was moved, until so many seconds after the start. */
  record Step(double rate, double seconds) {}

  /** Lets it run for so long. */
  static Ramp of(Contender<Double> contender, long millis) throws IOException {
    List<Step> steps = new ArrayList<>();
    contender.go();
    long start = System.nanoTime();
    try {
      while (System.nanoTime() - start < millis * 1_000_000) {
        double rate = contender.measure(STEP_MILLIS);
        steps.add(new Step(rate, (System.nanoTime() - start) / 1e9));
      }
    } finally {
      contender.stop();
    }
    return new Ramp(steps);
  }

  /** In a table: seconds until it had reached nine tenths of this rate. */
  String cell(double steady) {
    for (Step step : steps) {
      if (step.rate >= STEADY * steady) {
        return "%.2f".formatted(step.seconds);
      }
    }
    return "never";
  }
}
