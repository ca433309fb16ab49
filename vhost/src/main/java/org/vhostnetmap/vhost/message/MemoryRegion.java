// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;

/**
 * One region of guest memory, as the front-end tells it; all four unchecked, unsigned 64-bit
 * numbers.
 *
 * @param guestAddress guest-physical address
 * @param size in bytes
 * @param frontendAddress the same in the front-end's address space ("user address")
 * @param mmapOffset where the region begins in the file that comes with it
 */
public record MemoryRegion(long guestAddress, long size, long frontendAddress, long mmapOffset) {
  /** Bytes on the wire. */
  public static final int BYTES = 32;

  /** Reads the 32 bytes. */
  public static MemoryRegion read(ByteBuffer bytes) {
    return new MemoryRegion(bytes.getLong(), bytes.getLong(), bytes.getLong(), bytes.getLong());
  }

  /** Reads a region that has eight bytes of padding before it (ADD_MEM_REG, REM_MEM_REG). */
  public static MemoryRegion readSingle(ByteBuffer bytes) {
    bytes.getLong();
    return read(bytes);
  }

  /**
   * Whether {@code other} names the same region; the offset says nothing about that (REM_MEM_REG
   * leaves it out).
   */
  public boolean sameRegion(MemoryRegion other) {
    return guestAddress == other.guestAddress
        && size == other.size
        && frontendAddress == other.frontendAddress;
  }

  @Override
  public String toString() {
    return "region guest 0x%x size 0x%x front-end 0x%x offset 0x%x"
        .formatted(guestAddress, size, frontendAddress, mmapOffset);
  }
}
