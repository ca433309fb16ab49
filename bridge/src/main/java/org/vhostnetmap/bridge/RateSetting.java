// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A limit as its user gives it.
 *
 * @param bitsPerSecond of Ethernet frames without preamble and frame check sequence; 0 for no limit
 * @param burstBytes that may pass at once after a pause
 * @param framesPerSecond 0 for no limit; a frame that is to be segmented is as many as it makes
 * @param burstFrames that may pass at once after a pause
 */
public record RateSetting(
    long bitsPerSecond, long burstBytes, long framesPerSecond, long burstFrames) {
  /** The slowest rate of bits: one byte's time fits the arithmetic. */
  public static final long LEAST_BITS = 8_000;

  /** The fastest rate of bits. */
  public static final long MOST_BITS = 1_000_000_000_000L;

  /** The fastest rate of frames. */
  public static final long MOST_FRAMES = 1_000_000_000;

  /** No limit. */
  public static final RateSetting NONE = new RateSetting(0, 0, 0, 0);

  private static final long LEAST_BURST_BYTES = 128 * 1024; // two of the longest frames
  private static final long LEAST_BURST_FRAMES = 64;
  private static final long BURSTS_PER_SECOND = 100;

  /** Refuses what makes no sense. */
  public RateSetting {
    boolean badBits =
        bitsPerSecond != 0 && (bitsPerSecond < LEAST_BITS || bitsPerSecond > MOST_BITS);
    if (badBits || framesPerSecond < 0 || framesPerSecond > MOST_FRAMES) {
      throw new IllegalArgumentException("rates out of range");
    }
    if ((bitsPerSecond != 0 && burstBytes < 1) || (framesPerSecond != 0 && burstFrames < 1)) {
      throw new IllegalArgumentException("a limit without a burst lets nothing pass");
    }
  }

  /**
   * With the usual bursts: what passes in 10 ms, but at least two of the longest frames, and 64
   * frames.
   */
  public static RateSetting of(long bitsPerSecond, long framesPerSecond) {
    return new RateSetting(
        bitsPerSecond,
        bitsPerSecond == 0 ? 0 : defaultBurstBytes(bitsPerSecond),
        framesPerSecond,
        framesPerSecond == 0 ? 0 : defaultBurstFrames(framesPerSecond));
  }

  /** Bytes that pass at once when nothing else is said. */
  public static long defaultBurstBytes(long bitsPerSecond) {
    return Math.max(LEAST_BURST_BYTES, bitsPerSecond / 8 / BURSTS_PER_SECOND);
  }

  /** Frames that pass at once when nothing else is said. */
  public static long defaultBurstFrames(long framesPerSecond) {
    return Math.max(LEAST_BURST_FRAMES, framesPerSecond / BURSTS_PER_SECOND);
  }

  /** Whether anything passes. */
  public boolean isNone() {
    return bitsPerSecond == 0 && framesPerSecond == 0;
  }
}
