// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The warm-up of one side: what it moved in each of its first fractions of a second. */
record Ramp(List<Double> rates) {
  private static final long STEP_MILLIS = 250;
  private static final double STEADY = 0.9;

  /** Lets it run for so long. */
  static Ramp of(Contender<Double> contender, long millis) throws IOException {
    List<Double> rates = new ArrayList<>();
    contender.go();
    try {
      for (long time = 0; time < millis; time += STEP_MILLIS) {
        rates.add(contender.measure(STEP_MILLIS));
      }
    } finally {
      contender.stop();
    }
    return new Ramp(rates);
  }

  /** Seconds until it had reached nine tenths of this rate; its whole length if it never did. */
  double seconds(double steady) {
    int steps = 0;
    while (steps < rates.size() && rates.get(steps) < STEADY * steady) {
      steps++;
    }
    return steps * STEP_MILLIS / 1000.0;
  }
}
