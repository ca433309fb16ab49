// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/// Where things are in a split virtqueue (virtio 1.3, 2.7), in bytes; little-endian.
///
/// ```
///   descriptor table (16-aligned)     available ring (2-aligned)      used ring (4-aligned)
///   +0  le64 addr                     +0  le16 flags                  +0  le16 flags
///   +8  le32 len                      +2  le16 idx                    +2  le16 idx
///   +12 le16 flags                    +4  le16 ring[size]             +4  { le32 id, le32 len } ring[size]
///   +14 le16 next                     +4 + 2 size  le16 used_event    +4 + 8 size  le16 avail_event
/// ```
final class SplitLayout {
  /** The largest ring (2.7). */
  static final int MAXIMUM_SIZE = 32768;

  static final int FLAGS = 0;
  static final int INDEX = 2;
  static final int RING = 4;

  /** A descriptor's second half as one long: len in bits 0-31, flags in 32-47, next in 48-63. */
  static final int DESCRIPTOR_FLAGS_SHIFT = 32;

  static final int DESCRIPTOR_NEXT_SHIFT = 48;
  static final long VIRTQ_DESC_F_NEXT = 1L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_WRITE = 2L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_INDIRECT = 4L << DESCRIPTOR_FLAGS_SHIFT;
  static final int VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
  static final int VIRTQ_USED_F_NO_NOTIFY = 1;

  private SplitLayout() {}

  /** Bytes of the available ring with its event word, which is there whether negotiated or not. */
  static long availableRingBytes(int size) {
    return RING + 2L * size + 2;
  }

  /** Bytes of the used ring with its event word. */
  static long usedRingBytes(int size) {
    return RING + 8L * size + 2;
  }

  static int usedEvent(int size) {
    return RING + 2 * size;
  }

  static int availableEvent(int size) {
    return RING + 8 * size;
  }
}
