// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;

/**
 * A ring and a number: its size, its base or whether it is enabled.
 *
 * @param index of the ring, 0 to 2^32 - 1, unchecked
 * @param number 0 to 2^32 - 1, unchecked
 */
public record VringState(long index, long number) {
  /** Reads {@code u32 index, u32 num}. */
  public static VringState read(ByteBuffer bytes) {
    return new VringState(
        Integer.toUnsignedLong(bytes.getInt()), Integer.toUnsignedLong(bytes.getInt()));
  }
}
