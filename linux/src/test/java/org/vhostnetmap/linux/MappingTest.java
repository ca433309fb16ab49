// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class MappingTest {
  private static final int PAGE = 4096;

  /** Fails with EINVAL, or maps another page, when jnr's x86-64 stubs are on. */
  @Test
  void mapsAtAnOffsetThatIsNotZero() throws Exception {
    try (Fd file = SharedFile.create("mapping-test", 3 * PAGE);
        Mapping whole = Mapping.of(file.value(), 0, 3 * PAGE, true);
        Mapping last = Mapping.of(file.value(), 2 * PAGE, PAGE, true)) {
      Memory.putLong(last.address(), 0x0102030405060708L);
      assertEquals(0x0102030405060708L, Memory.getLong(whole.address() + 2 * PAGE));
      assertEquals("false", System.getProperty("jnr.ffi.x86asm.enabled"));
    }
  }

  @Test
  void anonymousMemoryIsZero() throws Exception {
    try (Mapping memory = Mapping.anonymous(3 * PAGE)) {
      assertEquals(3 * PAGE, memory.length());
      for (long i = 0; i < memory.length(); i += Long.BYTES) {
        assertEquals(0, Memory.getLong(memory.address() + i));
      }
    }
  }

  @Test
  void closeGivesTheRangeBackOnce() throws Exception {
    long before = OpenFiles.mappingsOf("given-back");
    Mapping mapping;
    try (Fd file = SharedFile.create("given-back", PAGE)) {
      mapping = Mapping.of(file.value(), 0, PAGE, false);
    }
    assertEquals(before + 1, OpenFiles.mappingsOf("given-back"));
    mapping.close();
    assertEquals(before, OpenFiles.mappingsOf("given-back"));
    mapping.close();
  }

  @Test
  void tellsWhyItCouldNotMap() throws Exception {
    try (Fd file = SharedFile.create("mapping-test", PAGE)) {
      ErrnoException odd =
          assertThrows(ErrnoException.class, () -> Mapping.of(file.value(), 1, PAGE, true));
      assertEquals(Errno.EINVAL, odd.errno());
    }
    assertEquals(
        Errno.ENOMEM,
        assertThrows(ErrnoException.class, () -> Mapping.anonymous(1L << 62)).errno());
  }
}
