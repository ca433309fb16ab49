// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * How much a port may send, or be sent: a token bucket for bits and one for frames, in the manner
 * of a policer. A frame passes while both buckets hold anything, and takes what it costs even if
 * that is more than there is; so one burst may exceed the bucket by one frame, and the long run is
 * exact. Any thread.
 *
 * <p>Tokens are time: a frame costs as many nanoseconds as it takes at the rate, so that refilling
 * is a subtraction, charging a multiplication, and nothing is divided. Nanoseconds have {@value
 * #FRACTION} bits behind the point.
 */
final class RateLimit {
  private static final int FRACTION = 20;
  private static final double NANOS_PER_SECOND = 1e9;

  /** The longest time a bucket holds: with its fraction it fits a long, twice over. */
  private static final long LONGEST_NANOS = 1L << 41;

  private static final class Bucket {
    private final long unitCost; // fixed point; 0 for no limit
    private final long capacity; // fixed point
    private long tokens;

    Bucket(long unitsPerSecond, long burstUnits) {
      unitCost = unitsPerSecond == 0 ? 0 : fixed(NANOS_PER_SECOND / unitsPerSecond);
      capacity =
          unitsPerSecond == 0
              ? fixed(LONGEST_NANOS)
              : fixed(Math.min(LONGEST_NANOS, burstUnits * NANOS_PER_SECOND / unitsPerSecond));
      tokens = capacity;
    }

    private static long fixed(double nanos) {
      return Math.max(1, Math.round(nanos * (1L << FRACTION)));
    }

    void refill(long nanos) {
      tokens = Math.min(capacity, tokens + (Math.min(nanos, LONGEST_NANOS) << FRACTION));
    }

    void charge(long units) {
      tokens -= units * unitCost;
    }
  }

  private final Bucket bytes;
  private final Bucket frames;
  private long refilled;

  /**
   * Full buckets.
   *
   * @param now {@code System.nanoTime}
   */
  RateLimit(RateSetting setting, long now) {
    bytes = new Bucket(setting.bitsPerSecond() / 8, setting.burstBytes());
    frames = new Bucket(setting.framesPerSecond(), setting.burstFrames());
    refilled = now;
  }

  /**
   * Charges frames of a burst, in order, as long as there is anything to charge.
   *
   * @param wanted a mask of frames
   * @return those that may pass: the first ones of the mask
   */
  synchronized long admit(Burst burst, long wanted, long now) {
    long passed = now - refilled;
    if (passed > 0) { // another worker may have been here with a later clock
      refilled = now;
      bytes.refill(passed);
      frames.refill(passed);
    }
    long left = wanted;
    while (left != 0 && bytes.tokens > 0 && frames.tokens > 0) {
      int i = Long.numberOfTrailingZeros(left);
      bytes.charge(burst.length[i]);
      frames.charge(frames(burst, i));
      left &= left - 1;
    }
    return wanted & ~left;
  }

  /** Takes back the charge for frames that found no room and will come again. */
  synchronized void refund(Burst burst, long unused) {
    for (long left = unused; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      bytes.charge(-burst.length[i]);
      frames.charge(-frames(burst, i));
    }
  }

  /** One, or as many as a frame that is still to be segmented makes on a wire. */
  private static long frames(Burst burst, int i) {
    int segment = (burst.offloads >>> i & 1) == 0 ? 0 : Offload.gsoSize(burst.header[i]);
    return segment == 0 ? 1 : (burst.length[i] + segment - 1) / segment;
  }
}
