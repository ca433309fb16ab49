// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Limits of a port: the arithmetic by a clock of our own, the counting with guests. */
final class RateLimitTest {
  private static final long SECOND = 1_000_000_000L;

  private final Burst burst = new Burst();
  private long now = 77;

  /** Offers frames of a length as fast as a clock in steps allows; how many passed. */
  private long pass(RateLimit limit, int length, long stepNanos, long nanos) {
    long passed = 0;
    burst.clear();
    for (int i = 0; i < Burst.FRAMES; i++) {
      burst.append(0, length);
    }
    for (long end = now + nanos; now < end; now += stepNanos) {
      long admitted = limit.admit(burst, burst.valid, now);
      assertEquals(Burst.first(Long.bitCount(admitted)), admitted, "the first ones");
      passed += Long.bitCount(admitted);
    }
    return passed;
  }

  @ParameterizedTest
  @CsvSource({
    "8000,           1000,  1000000000, 600",
    "1000000,        1250,     1000000, 10",
    "100000000,     65553,     1000000, 10",
    "10000000000,    1514,       10000, 1",
    "1000000000000, 65553,        1000, 1",
  })
  void theLongRunIsTheRateOfBits(long bits, int length, long step, long seconds) {
    RateLimit limit = new RateLimit(new RateSetting(bits, 200_000, 0, 0), now);
    double got = (double) pass(limit, length, step, seconds * SECOND) * length;
    double due = bits / 8.0 * seconds + 200_000;
    assertEquals(due, got, due / 1000 + length);
  }

  @ParameterizedTest
  @CsvSource({"1, 1000000000, 600", "1000, 1000000, 10", "1000000, 10000, 1"})
  void theLongRunIsTheRateOfFrames(long frames, long step, long seconds) {
    RateLimit limit = new RateLimit(new RateSetting(0, 0, frames, 50), now);
    double due = (double) frames * seconds + 50;
    assertEquals(due, (double) pass(limit, 60, step, seconds * SECOND), due / 1000 + 1);
  }

  @Test
  void theTighterOfTwoLimitsHolds() {
    RateSetting both = new RateSetting(1_000_000, 1000, 1000, 1);
    assertEquals(1000.0, (double) pass(new RateLimit(both, now), 60, 10_000, SECOND), 10);
    assertEquals(125.0, (double) pass(new RateLimit(both, now), 1000, 10_000, SECOND), 3);
  }

  @Test
  void whatWasNotUsedIsNotSavedBeyondTheBurstHoweverLongThePause() {
    RateLimit limit = new RateLimit(new RateSetting(8_000_000, 10_000, 0, 0), now);
    for (long pause : new long[] {SECOND, 3600 * SECOND, 100L * 365 * 86_400 * SECOND}) {
      now += pause;
      assertEquals(10, pass(limit, 1000, 1, 1));
    }
  }

  @Test
  void aFrameLargerThanTheBurstPassesAndIsPaidForAfterwards() {
    RateLimit limit = new RateLimit(new RateSetting(8_000_000, 1000, 0, 0), now);
    assertEquals(1, pass(limit, 65_000, 1, 1));
    assertEquals(0, pass(limit, 60, 1_000_000, 63_000_000));
    assertEquals(1, pass(limit, 65_000, 1_000_000, 3_000_000));
  }

  @Test
  void aFrameThatIsToBeSegmentedCostsItsSegments() {
    RateLimit limit = new RateLimit(atOnce(100), now);
    burst.clear();
    for (int i = 0; i < 20; i++) {
      burst.append(0, 10_054);
      burst.offloads |= 1L << i;
      burst.header[i] = 1000L << 32; // gso_size
    }
    assertEquals(10, Long.bitCount(limit.admit(burst, burst.valid, now))); // 11 each
    limit.refund(burst, Burst.first(10));
    assertEquals(10, Long.bitCount(limit.admit(burst, burst.valid, now)));
    burst.clear();
    burst.append(0, 60);
    assertEquals(0, limit.admit(burst, burst.valid, now), "10 frames over");
  }

  @Test
  void framesThatComeAgainAreNotCharged() {
    RateLimit limit = new RateLimit(new RateSetting(8_000, 1000, 1, 10), now);
    burst.clear();
    for (int i = 0; i < 20; i++) {
      burst.append(0, 100);
    }
    for (int again = 0; again < 100; again++) {
      assertEquals(Burst.first(10), limit.admit(burst, burst.valid, now));
      limit.refund(burst, Burst.first(10));
    }
    limit.admit(burst, burst.valid, now);
    assertEquals(0, limit.admit(burst, burst.valid, now));
  }

  @Test
  void aLimitThatLetsNothingPassIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new RateSetting(8_000, 0, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> new RateSetting(0, 0, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new RateSetting(7_999, 1, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> new RateSetting(0, 0, -1, 1));
  }

  private static RateSetting atOnce(long frames) {
    return new RateSetting(0, 0, 1, frames);
  }

  @Test
  void whatAGuestSendsBeyondItsLimitIsDroppedAtItsOwnRingAndCounted() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(new NullPort("null:"));
      a.port.limit(atOnce(100), RateSetting.NONE);
      lan.start();
      a.up();
      for (int n = 0; n < 2000; n++) {
        a.send(frame(mac(2), mac(1), 60, n));
      }
      Lan.await("frames", () -> lan.queue(a.name, "tx0").frames() == 2000);
      long passed = lan.queue("null:", "out").frames();
      assertTrue(passed >= 100 && passed < 130, passed + " passed");
      assertEquals(2000 - passed, lan.drops(a.name, "tx0", DropReason.RATE_LIMIT));
      assertEquals(0, lan.queue("null:", "out").dropped());
    }
  }

  @Test
  void whatIsSentToAGuestBeyondItsLimitIsDroppedThereAndOthersGetAll() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      Guest limited = lan.guest(1);
      lan.add(new NullPort("null:"));
      limited.port.limit(RateSetting.NONE, atOnce(100));
      lan.start();
      a.up();
      limited.up().buffers(250, 256);
      for (int n = 0; n < 2000; n++) {
        a.send(frame(Frames.BROADCAST, mac(1), 60, n));
      }
      Lan.await("frames", () -> lan.queue("null:", "out").frames() == 2000);
      long passed = lan.queue(limited.name, "rx0").frames();
      assertTrue(passed >= 100 && passed < 130, passed + " passed");
      assertEquals(2000 - passed, lan.drops(limited.name, "rx0", DropReason.RATE_LIMIT));
    }
  }

  /** A frame that waits in its source is lent again and again, and must be judged once. */
  @Test
  void framesThatWaitForRoomOnAWireAreChargedOnceInBothDirections() throws Exception {
    for (boolean atTheSink : new boolean[] {false, true}) {
      try (Lan lan = new Lan()) {
        Guest a = lan.guest(1);
        Guest b = lan.guest(1);
        if (atTheSink) {
          b.port.limit(RateSetting.NONE, atOnce(500));
        } else {
          a.port.limit(atOnce(500), RateSetting.NONE);
        }
        lan.start();
        a.up();
        b.up();
        List<Integer> got = new ArrayList<>();
        int[] sent = {0};
        Lan.await(
            "the first 500",
            () -> {
              while (sent[0] < 1000 && a.trySend(0, frame(mac(2), mac(1), 60, sent[0]))) {
                sent[0]++;
              }
              b.buffers(Math.min(3, b.receiveRing(0).freeDescriptors()), 256);
              b.receive(0, 0).forEach(frame -> got.add(Frames.number(frame)));
              return sent[0] == 1000 && a.reap(0) + a.transmitRing(0).freeDescriptors() >= 256;
            });
        b.receive(0, 0).forEach(frame -> got.add(Frames.number(frame)));
        long late = lan.drops(b.name, "rx0", DropReason.NO_BUFFERS);
        long over =
            lan.drops(b.name, "rx0", DropReason.RATE_LIMIT)
                + lan.drops(a.name, "tx0", DropReason.RATE_LIMIT);
        assertEquals(1000, got.size() + late + over);
        // What waited too long was given back at the sink, and had passed at the source.
        long passed = atTheSink ? got.size() : got.size() + late;
        long least = atTheSink ? Math.min(500, 1000 - late) : 500;
        assertTrue(passed >= least && passed < 540, passed + " passed, " + late + " came late");
        assertEquals(got.stream().sorted().distinct().toList(), got);
      }
    }
  }
}
