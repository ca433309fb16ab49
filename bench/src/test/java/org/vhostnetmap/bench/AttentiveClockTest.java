// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class AttentiveClockTest {
  private long time = 1_000;
  private final AttentiveClock clock = new AttentiveClock(() -> time, 50);

  @Test
  void goesOnAsLongAsItIsLookedAt() {
    for (int i = 0; i < 10; i++) {
      time += 50;
      clock.look();
    }
    assertEquals(1_500, clock.look());
    assertEquals(0, clock.away());
  }

  @Test
  void standsStillWhileNobodyLooks() {
    time += 40;
    clock.look();
    time += 5_000;
    assertEquals(1_040, clock.look());
    time += 10;
    assertEquals(1_050, clock.look());
    assertEquals(5_000, clock.away());
  }

  @Test
  void whatHadLastedBeforeAGapAndWhatComesAfterItCounts() {
    long due = clock.look();
    for (int i = 0; i < 100; i++) {
      time += 40; // somebody keeps us waiting
      clock.look();
    }
    time += 9_000; // we are not there
    clock.look();
    time += 30;
    assertEquals(4_030, clock.look() - due);
  }

  @Test
  void workOfItsOwnThreadIsNoGap() {
    time += 5_000;
    assertEquals(6_000, clock.lookAfterWork());
    assertEquals(0, clock.away());
  }
}
