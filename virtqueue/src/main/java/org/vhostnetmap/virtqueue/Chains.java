// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/**
 * Descriptor chains that were peeked from a virtqueue, as parallel arrays over one flat table of
 * segments. Made once, filled again and again; belongs to one thread.
 *
 * <p>Chain {@code i} has the segments {@code firstSegment[i]} to {@code firstSegment[i + 1] - 1}.
 * Segments are host addresses, checked to lie in guest memory; no two segments are adjacent parts
 * of one region unless the driver made them so. Zero-length descriptors leave no segment.
 */
public final class Chains {
  /** Chains that fit. */
  public static final int CHAINS = 256;

  /** Segments that fit. */
  public static final int SEGMENTS = 4096;

  /** Host address of each segment. */
  public final long[] segmentAddress = new long[SEGMENTS];

  /** Bytes in each segment, 1 to 2^30. */
  public final int[] segmentLength = new int[SEGMENTS];

  /** Index of each chain's first segment; one more entry marks the end of the last. */
  public final int[] firstSegment = new int[CHAINS + 1];

  /**
   * Index of each chain's first device-writable segment; means something only for a queue of {@link
   * Direction#MIXED}.
   */
  public final int[] firstWritable = new int[CHAINS];

  /** Bytes in each chain. */
  public final long[] length = new long[CHAINS];

  /**
   * What the used element gives back: the index of the descriptor that heads each chain; of a
   * packed ring its buffer id. 0 to 65535.
   */
  public final int[] head = new int[CHAINS];

  /** Bytes the device wrote into each chain, set before {@code complete}. */
  public final int[] written = new int[CHAINS];

  /** Descriptors in the ring that each chain takes: of a packed ring any number, else 1. */
  final int[] slots = new int[CHAINS];

  int count;

  int plain;

  /** The sum of {@link #slots}. */
  int slotsHeld;

  /** Zero-length descriptors met so far: they leave no segment but cost time like one. */
  int empty;

  /** No chains, room for all. */
  public Chains() {}

  /** Chains of one segment and one descriptor each were entered behind the others. */
  void entered(int chains) {
    plain += plain == count ? chains : 0;
    count += chains;
    slotsHeld += chains;
  }

  /** Forgets all chains. */
  public void clear() {
    count = 0;
    plain = 0;
    slotsHeld = 0;
    empty = 0;
    firstSegment[0] = 0;
  }

  /** Chains held. */
  public int count() {
    return count;
  }

  /**
   * How many chains from the first on have one segment each: of chain {@code i} segment {@code i}.
   */
  public int plain() {
    return plain;
  }

  /** Segments of chain {@code i}. */
  public int segments(int i) {
    return firstSegment[i + 1] - firstSegment[i];
  }
}
