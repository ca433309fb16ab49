// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** What polling costs and what it misses, for traffic of several kinds; times in nanoseconds. */
final class PollingTest {
  private static final long US = 1_000;
  private static final long CEILING = 200 * US;

  private final Polling polling = new Polling(0);
  private long now;
  private long polledInVain;
  private int missed; // frames that found the worker asleep

  /** The next frames come after this pause. */
  private void pause(long nanos) {
    if (nanos > polling.patience()) {
      polledInVain += polling.patience();
      missed++;
    }
    assertTrue(polling.isOver(now + polling.patience()));
    now += nanos;
    polling.frames(now, CEILING);
  }

  @Test
  void oneMissedFrameIsEnoughToPollThroughPausesBelowTheCeiling() {
    for (int i = 0; i < 10_000; i++) {
      pause(100 * US);
    }
    assertEquals(1, missed);
  }

  @Test
  void framesThatComeMoreRarelyThanTheCeilingAreNotPolledForAtAll() {
    for (int i = 0; i < 1_000; i++) {
      pause(1_000 * US);
    }
    assertEquals(0, polledInVain);
    assertEquals(0, polling.patience());
  }

  @Test
  void whenTrafficBecomesRarePollingEndsAfterFewFrames() {
    for (int i = 0; i < 1_000; i++) {
      pause(100 * US);
    }
    for (int i = 0; i < 1_000; i++) {
      pause(1_000 * US);
    }
    long most = 16 * CEILING + 1_000 * 100 * US / 16; // what polling that paid has earned
    assertTrue(polledInVain < most, "polled in vain for " + polledInVain / US + " us");
    assertEquals(0, polling.patience());
  }

  @Test
  void aPauseThatIsTooLongNowAndThenDoesNotEndPollingThatPays() {
    for (int i = 1; i <= 10_000; i++) {
      pause(i % 10 == 0 ? 2_000 * US : 100 * US);
    }
    assertEquals(1_000, missed, 1);
  }

  @Test
  void aSenderThatIsLateNowAndThenFindsTheWorkerAwake() {
    for (int i = 1; i <= 100_000; i++) {
      pause(i % 1_000 == 0 ? 900 * US : 100 * US);
    }
    assertEquals(1, missed);
  }

  @Test
  void aSteadySenderThatStopsForMillisecondsFindsTheWorkerAwake() {
    for (int i = 1; i <= 100_000; i++) {
      pause(i % 10_000 == 0 ? 4_000 * US : 10 * US);
    }
    assertEquals(1, missed);
    assertTrue(polling.patience() <= 25 * CEILING, "but not for ever");
  }

  @Test
  void pollingInVainCostsASmallPartOfWhatPollingThatPaidTook() {
    long paid = 0;
    Random random = new Random(5);
    for (int i = 0; i < 1_000; i++) {
      for (int frame = random.nextInt(2_000); frame > 0; frame--) {
        pause(10 * US);
        paid += 10 * US;
      }
      pause(20_000 * US);
    }
    assertTrue(polledInVain < paid / 10, polledInVain + " in vain of " + paid);
  }

  @Test
  void pausesBetweenTrainsOfFramesCostLittleHoweverShortThosePausesWithinAre() {
    pause(150 * US); // it polls as long as it may from here on
    for (int train = 0; train < 1_000; train++) {
      for (int i = 0; i < 32; i++) {
        pause(5 * US);
      }
      pause(1_000 * US);
    }
    long perTrain = polledInVain / 1_000;
    assertTrue(perTrain < 20 * US, perTrain + " ns polled in vain after each train");
    assertTrue(missed < 1_100, missed + " missed: one a train");
  }

  @Test
  void aCeilingOfZeroNeverPolls() {
    Random random = new Random(3);
    for (int i = 0; i < 1_000; i++) {
      now += random.nextInt(100_000);
      polling.frames(now, 0);
      assertTrue(polling.isOver(now));
    }
  }
}
