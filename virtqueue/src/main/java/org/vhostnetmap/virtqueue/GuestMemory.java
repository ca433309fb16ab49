// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.util.Comparator;
import java.util.List;

/**
 * The guest's memory as the front-end told it (VHOST_USER_SET_MEM_TABLE, ADD_MEM_REG): an immutable
 * set of mapped regions that do not overlap. The mappings are borrowed: whoever made them unmaps
 * them only after the data plane let go of this object. Safe to share between threads.
 */
public final class GuestMemory {
  /** No memory at all: every translation fails. */
  public static final GuestMemory NONE = new GuestMemory(List.of());

  /**
   * One mapped region. Addresses are unsigned 64-bit numbers, {@code size} is in bytes and
   * positive.
   *
   * @param guestAddress guest-physical address of the first byte
   * @param frontendAddress the same byte in the front-end's address space
   * @param size bytes
   * @param hostAddress the same byte in ours
   */
  public record Region(long guestAddress, long frontendAddress, long size, long hostAddress) {
    /** Checks what {@link GuestMemory} relies on. */
    public Region {
      if (size <= 0 || hostAddress <= 0 || hostAddress + size < 0) {
        throw new IllegalArgumentException("no such region: size " + size);
      }
      if (wraps(guestAddress, size) || wraps(frontendAddress, size)) {
        throw new IllegalArgumentException("region wraps around the end of the address space");
      }
    }

    private static boolean wraps(long address, long size) {
      return Long.compareUnsigned(address + (size - 1), address) < 0;
    }

    private boolean holds(long offset, long length) {
      return offset >= 0 && offset < size && length >= 0 && length <= size - offset;
    }
  }

  private final Region[] regions; // ascending by guest address as an unsigned number

  private GuestMemory(List<Region> regions) {
    this.regions = regions.toArray(Region[]::new);
  }

  /**
   * The memory of these regions; throws IllegalArgumentException when two overlap in guest
   * addresses.
   */
  public static GuestMemory of(List<Region> regions) {
    List<Region> sorted =
        regions.stream()
            .sorted(Comparator.comparing(Region::guestAddress, Long::compareUnsigned))
            .toList();
    for (int i = 1; i < sorted.size(); i++) {
      Region before = sorted.get(i - 1);
      long gap = sorted.get(i).guestAddress() - before.guestAddress();
      if (Long.compareUnsigned(gap, before.size()) < 0) {
        throw new IllegalArgumentException(
            "guest regions overlap at 0x" + Long.toHexString(sorted.get(i).guestAddress()));
      }
    }
    return new GuestMemory(sorted);
  }

  /**
   * Whether a buffer of 1 to 2^30 bytes lies in a region of so many bytes. One comparison for all
   * rules: each of these numbers is negative when its rule is broken.
   *
   * @param size bytes of the region, not negative
   * @param offset of the buffer in the region, any number
   * @param length 0 to 2^32 - 1
   */
  static boolean holdsBuffer(long size, long offset, long length) {
    long room = size - offset; // a negative offset may overflow this, a negative room the next
    return (offset | room | room - length | length - 1 | ChainBuilder.LARGEST_BUFFER - length) >= 0;
  }

  /** The regions in ascending order of guest address. */
  public List<Region> regions() {
    return List.of(regions);
  }

  /**
   * The host address of {@code length} bytes at a guest address, or 0 when they are not wholly
   * inside one region.
   *
   * @param length bytes, 0 to 2^32 - 1
   */
  public long translate(long guestAddress, long length) {
    Region region = find(guestAddress);
    if (region == null) {
      return 0;
    }
    long offset = guestAddress - region.guestAddress();
    return region.holds(offset, length) ? region.hostAddress() + offset : 0;
  }

  /**
   * The same for an address of the front-end's own address space, as VHOST_USER_SET_VRING_ADDR
   * gives them.
   */
  public long translateFrontend(long frontendAddress, long length) {
    for (Region region : regions) {
      long offset = frontendAddress - region.frontendAddress();
      if (region.holds(offset, length)) {
        return region.hostAddress() + offset;
      }
    }
    return 0;
  }

  /** The region that holds the byte at a guest address, or null. */
  @org.jspecify.annotations.Nullable
  Region find(long guestAddress) {
    int low = 0;
    int high = regions.length - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(regions[middle].guestAddress(), guestAddress) <= 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    if (high < 0) {
      return null;
    }
    Region region = regions[high];
    return Long.compareUnsigned(guestAddress - region.guestAddress(), region.size()) < 0
        ? region
        : null;
  }
}
