// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class MappingTest {
  @Test
  void mapsAtAnOffsetThatIsNotZero() throws Exception {
    try (Fd file = SharedFile.create("mapping-test", 3 * 4096);
        Mapping whole = Mapping.of(file.value(), 0, 3 * 4096, true);
        Mapping last = Mapping.of(file.value(), 2 * 4096, 4096, true)) {
      Memory.putLong(last.address(), 0x0102030405060708L);
      assertEquals(0x0102030405060708L, Memory.getLong(whole.address() + 2 * 4096));
    }
  }
}
