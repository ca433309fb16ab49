// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import org.vhostnetmap.linux.Memory;

/**
 * Memory of this process between two canaries; closing it fails when somebody wrote outside. Zero
 * at first.
 */
final class HostMemory implements AutoCloseable {
  private static final int CANARY_BYTES = 4096;
  private static final int CANARY = 0xc5;

  private final Arena arena = Arena.ofShared();
  private final long address;
  private final long bytes;

  HostMemory(long bytes) {
    this.bytes = bytes;
    address = arena.allocate(bytes + 2 * CANARY_BYTES, 4096).address() + CANARY_BYTES;
    Memory.fill(address - CANARY_BYTES, CANARY_BYTES, CANARY);
    Memory.fill(address + bytes, CANARY_BYTES, CANARY);
  }

  /** Host address of the first byte, a multiple of 4096. */
  long address() {
    return address;
  }

  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    for (int i = 1; i <= CANARY_BYTES; i++) {
      assertEquals(CANARY, Memory.getUnsignedByte(address - i), "written before the memory");
      assertEquals(CANARY, Memory.getUnsignedByte(address + bytes + i - 1), "written behind it");
    }
    arena.close();
  }
}
