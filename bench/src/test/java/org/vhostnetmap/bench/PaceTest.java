// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PaceTest {
  private static final long START = 5_000;

  @Test
  void eachTimeIsFixedBeforehand() {
    Pace pace = new Pace(10_000, START);
    assertEquals(START, pace.due());
    pace.next();
    assertEquals(START + 100_000, pace.due());
    pace.next();
    assertEquals(START + 200_000, pace.due());
  }

  @Test
  void oddRatesDoNotDrift() {
    Pace pace = new Pace(3, START);
    for (int i = 0; i < 3_000_000; i++) {
      pace.next();
    }
    long off = pace.due() - (START + 1_000_000L * 1_000_000_000);
    assertTrue(Math.abs(off) <= 1_000, off + " ns off");
  }

  @Test
  void nothingIsDueAtNoRate() {
    assertEquals(Long.MAX_VALUE, new Pace(0, START).due());
  }
}
