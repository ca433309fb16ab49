// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The payload of VHOST_USER_SET_MEM_TABLE.
 *
 * @param regions 1 to 8
 */
public record MemoryTableMessage(List<MemoryRegion> regions) {
  private static final int MOST_REGIONS = 8;

  /** Keeps its own copy. */
  public MemoryTableMessage {
    regions = List.copyOf(regions);
  }

  /**
   * Reads the count and the regions; bytes behind the last region are ignored (user-mode Linux
   * sends some).
   */
  public static MemoryTableMessage read(ByteBuffer bytes) throws ProtocolFault {
    long count = Integer.toUnsignedLong(bytes.getInt());
    bytes.getInt();
    if (count < 1 || count > MOST_REGIONS || count * MemoryRegion.BYTES > bytes.remaining()) {
      throw new ProtocolFault(
          "memory table of " + count + " regions in " + bytes.limit() + " bytes");
    }
    List<MemoryRegion> regions = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      regions.add(MemoryRegion.read(bytes));
    }
    return new MemoryTableMessage(regions);
  }
}
