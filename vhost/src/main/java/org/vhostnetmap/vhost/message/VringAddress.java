// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;

/**
 * Where a ring is, in the front-end's own address space.
 *
 * @param index of the ring, 0 to 2^32 - 1, unchecked
 * @param flags bit 0: writes to the used ring go to the dirty log
 * @param descriptor front-end address of the descriptor table
 * @param used front-end address of the used ring
 * @param available front-end address of the available ring
 * @param log guest address that stands for the used ring in the dirty log
 */
public record VringAddress(
    long index, int flags, long descriptor, long used, long available, long log) {
  /** Reads the 40 bytes. */
  public static VringAddress read(ByteBuffer bytes) {
    return new VringAddress(
        Integer.toUnsignedLong(bytes.getInt()),
        bytes.getInt(),
        bytes.getLong(),
        bytes.getLong(),
        bytes.getLong(),
        bytes.getLong());
  }

  /** Whether the ring is at the same place as {@code other} says. */
  public boolean samePlace(VringAddress other) {
    return descriptor == other.descriptor && used == other.used && available == other.available;
  }

  @Override
  public String toString() {
    return "ring %d flags 0x%x descriptors 0x%x used 0x%x available 0x%x log 0x%x"
        .formatted(index, flags, descriptor, used, available, log);
  }
}
