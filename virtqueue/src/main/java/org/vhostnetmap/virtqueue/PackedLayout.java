// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/// Where things are in a packed virtqueue (virtio 1.3, 2.8), in bytes; little-endian.
///
/// ```
///   descriptor ring (16-aligned), size of     driver and device event suppression (4-aligned)
///   +0  le64 addr                             +0  le16 off_wrap   bits 0-14 offset, 15 wrap counter
///   +8  le32 len                              +2  le16 flags      bits 0-1
///   +12 le16 id
///   +14 le16 flags                            The driver writes the first, the device the second.
/// ```
final class PackedLayout {
  /** The largest ring (2.8). */
  static final int MAXIMUM_SIZE = 32768;

  /** Offset of a descriptor's second half: len in bits 0-31, id in 32-47, flags in 48-63. */
  static final int WORD = 8;

  static final int DESCRIPTOR_ID_SHIFT = 32;
  static final int DESCRIPTOR_FLAGS_SHIFT = 48;
  static final long VIRTQ_DESC_F_NEXT = 1L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_WRITE = 2L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_INDIRECT = 4L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_AVAIL = 0x80L << DESCRIPTOR_FLAGS_SHIFT;
  static final long VIRTQ_DESC_F_USED = 0x8000L << DESCRIPTOR_FLAGS_SHIFT;

  /** Both bits that tell whose a descriptor is. */
  static final long OWNER = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

  /** An event suppression structure as one int: off_wrap in bits 0-15, flags in 16-31. */
  static final int EVENT_FLAGS_SHIFT = 16;

  static final int RING_EVENT_FLAGS_ENABLE = 0;
  static final int RING_EVENT_FLAGS_DISABLE = 1;
  static final int RING_EVENT_FLAGS_DESC = 2;

  /** A wrap counter above an offset of 15 bits. */
  static final int WRAP = 1 << 15;

  static final int EVENT_BYTES = 4;

  private PackedLayout() {}

  /** The bits of {@link #OWNER} that a descriptor made available has, for this wrap counter. */
  static long available(boolean wrap) {
    return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
  }

  /** The bits of {@link #OWNER} that a used descriptor has, for this wrap counter. */
  static long used(boolean wrap) {
    return wrap ? OWNER : 0;
  }
}
