// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/** The two formats of a virtqueue: how large its three areas are and where they may lie. */
public enum RingFormat {
  /** Descriptor table, available ring, used ring (virtio 1.3, 2.7). */
  SPLIT("a power of two up to 32768", "16, 2 and 4", 2) {
    @Override
    public boolean isSize(long entries) {
      return entries >= 1 && entries <= SplitLayout.MAXIMUM_SIZE && Long.bitCount(entries) == 1;
    }

    @Override
    public long driverAreaBytes(int size) {
      return SplitLayout.availableRingBytes(size);
    }

    @Override
    public long deviceAreaBytes(int size) {
      return SplitLayout.usedRingBytes(size);
    }

    @Override
    public long firstBase() {
      return 0;
    }

    @Override
    public boolean isBase(int base, int size) {
      return true; // indexes go round by themselves, whatever the size
    }
  },

  /** Descriptor ring, driver event suppression, device event suppression (virtio 1.3, 2.8). */
  PACKED("1 to 32768", "16, 4 and 4", 4) {
    @Override
    public boolean isSize(long entries) {
      return entries >= 1 && entries <= PackedLayout.MAXIMUM_SIZE;
    }

    @Override
    public long driverAreaBytes(int size) {
      return PackedLayout.EVENT_BYTES;
    }

    @Override
    public long deviceAreaBytes(int size) {
      return PackedLayout.EVENT_BYTES;
    }

    @Override
    public long firstBase() {
      return PackedBase.FIRST;
    }

    @Override
    public boolean isBase(int base, int size) {
      return PackedBase.slot(PackedBase.place(base)) < size;
    }
  };

  private static final int DESCRIPTOR_ALIGNMENT = 16;
  private static final int DEVICE_ALIGNMENT = 4;

  private final String sizes;
  private final String alignments;
  private final int driverAlignment;

  RingFormat(String sizes, String alignments, int driverAlignment) {
    this.sizes = sizes;
    this.alignments = alignments;
    this.driverAlignment = driverAlignment;
  }

  /** Whether a ring may have this many entries. */
  public abstract boolean isSize(long entries);

  /** Which sizes there are, in words. */
  public final String sizes() {
    return sizes;
  }

  /** Bytes of the descriptor area: the table of a split ring, a packed ring itself. */
  public final long descriptorAreaBytes(int size) {
    return (long) ChainBuilder.DESCRIPTOR_BYTES * size;
  }

  /** Bytes of the driver area, event words included whether negotiated or not. */
  public abstract long driverAreaBytes(int size);

  /** Bytes of the device area, event words included whether negotiated or not. */
  public abstract long deviceAreaBytes(int size);

  /** Whether the three areas are aligned as the format asks. */
  public final boolean isAligned(long descriptorArea, long driverArea, long deviceArea) {
    return descriptorArea % DESCRIPTOR_ALIGNMENT == 0
        && driverArea % driverAlignment == 0
        && deviceArea % DEVICE_ALIGNMENT == 0;
  }

  /** The alignments in words, descriptor area first. */
  public final String alignments() {
    return alignments;
  }

  /** Where a ring begins that was never used, in the form of VHOST_USER_SET_VRING_BASE. */
  public abstract long firstBase();

  /** Whether a ring of this size can be where {@code base} says. */
  public abstract boolean isBase(int base, int size);
}
