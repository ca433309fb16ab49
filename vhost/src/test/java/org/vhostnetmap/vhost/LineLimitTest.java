// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LineLimitTest {
  private long now = 77;
  private final LineLimit limit = new LineLimit(() -> now);

  private int takeAll(int tries) {
    int taken = 0;
    for (int i = 0; i < tries; i++) {
      taken += limit.take() ? 1 : 0;
    }
    return taken;
  }

  @Test
  void letsTwentyThroughAndThenOneEveryFiveSeconds() {
    assertEquals(LineLimit.MOST, takeAll(1000));
    now += LineLimit.REFILL_NANOS - 1;
    assertFalse(limit.take());
    now += 1;
    assertEquals(1, takeAll(1000));
    now += 3 * LineLimit.REFILL_NANOS;
    assertEquals(3, takeAll(1000));
  }

  @Test
  void savesUpNoMoreThanTwenty() {
    now += 1000 * LineLimit.REFILL_NANOS;
    assertEquals(LineLimit.MOST, takeAll(1000));
  }

  @Test
  void countsWhatWasLeftOutOnce() {
    takeAll(25);
    assertEquals(5, limit.takeOmitted());
    assertEquals(0, limit.takeOmitted());
    now += LineLimit.REFILL_NANOS;
    assertTrue(limit.take());
    assertEquals(0, limit.takeOmitted());
  }
}
