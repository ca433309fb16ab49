// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class MemoryTest {
  private static final int PAGE = 4096;

  private Mapping memory;
  private long at;

  @BeforeEach
  void map() throws Exception {
    memory = Mapping.anonymous(2 * PAGE);
    at = memory.address();
  }

  @AfterEach
  void unmap() {
    memory.close();
  }

  @Test
  void storesLittleEndian() {
    Memory.requireLittleEndian();
    Memory.putLong(at, 0x8877665544332211L);
    assertEquals(0x11, Memory.getUnsignedByte(at));
    assertEquals(0x2211, Memory.getUnsignedShort(at));
    assertEquals(0x44332211L, Memory.getUnsignedInt(at));
    assertEquals(0x8877665544332211L, Memory.getLong(at));
  }

  @Test
  void readsEveryWidthWithoutSign() {
    Memory.fill(at, 16, 0xff);
    assertEquals(0xff, Memory.getUnsignedByte(at));
    assertEquals(0xffff, Memory.getUnsignedShort(at));
    assertEquals(0xffff, Memory.getUnsignedShortAcquire(at));
    assertEquals(0xffffffffL, Memory.getUnsignedInt(at));
    assertEquals(0xffffffffL, Memory.getUnsignedIntAcquire(at));
    assertEquals(-1L, Memory.getLongAcquire(at));
  }

  @Test
  void takesOddAddressesWhereItSaysSo() {
    Memory.putShort(at + 1, 0x1234);
    Memory.putInt(at + 3, 0x89abcdef);
    Memory.putLong(at + 7, 0x0102030405060708L);
    assertEquals(0x1234, Memory.getUnsignedShort(at + 1));
    assertEquals(0x89abcdefL, Memory.getUnsignedInt(at + 3));
    assertEquals(0x0102030405060708L, Memory.getLong(at + 7));
  }

  @Test
  void storesNoMoreThanTheWidth() {
    Memory.putByte(at, 0x1ff);
    Memory.publishShort(at + 2, 0x1ffff);
    Memory.publishInt(at + 8, -1);
    assertEquals(0xff, Memory.getUnsignedShort(at));
    assertEquals(0xffffL, Memory.getUnsignedInt(at + 2));
    assertEquals(0xffffffffL, Memory.getLong(at + 8));
    Memory.publishLong(at + 16, -2);
    assertEquals(0xfe00000000ffffffL, Memory.getLong(at + 9));
    assertEquals(-2, Memory.getLong(at + 16));
    assertEquals(0, Memory.getLong(at + 24));
  }

  @Test
  void fillsExactlyTheRange() {
    for (int length = 0; length < 40; length++) {
      Memory.fill(at, 64, 0);
      Memory.fill(at + 3, length, 0xee);
      for (int i = 0; i < 64; i++) {
        int wanted = i >= 3 && i < 3 + length ? 0xee : 0;
        assertEquals(wanted, Memory.getUnsignedByte(at + i), "byte " + i + " of fill " + length);
      }
    }
  }

  @Test
  void copiesBetweenMemoryAndArrays() {
    byte[] bytes = {1, 2, 3, 4, 5};
    Memory.copyFromArray(bytes, 1, at + 1, 3);
    Memory.copy(at + 1, at + 100, 3);
    byte[] back = new byte[5];
    Memory.copyToArray(at + 100, back, 2, 3);
    assertArrayEquals(new byte[] {0, 0, 2, 3, 4}, back);
  }

  /** One access; what it reads is given back, or the compiler would leave the access out. */
  interface Access {
    long at(long address);
  }

  private static Access store(LongConsumer store) {
    return address -> {
      store.accept(address);
      return 0;
    };
  }

  static Stream<Arguments> everyAccess() {
    byte[] array = new byte[64];
    return Stream.of(
        access("getUnsignedByte", Memory::getUnsignedByte),
        access("getUnsignedShort", Memory::getUnsignedShort),
        access("getUnsignedShortAcquire", Memory::getUnsignedShortAcquire),
        access("getUnsignedInt", Memory::getUnsignedInt),
        access("getUnsignedIntAcquire", Memory::getUnsignedIntAcquire),
        access("getLong", Memory::getLong),
        access("getLongAcquire", Memory::getLongAcquire),
        access("putByte", store(address -> Memory.putByte(address, 1))),
        access("putShort", store(address -> Memory.putShort(address, 1))),
        access("publishShort", store(address -> Memory.publishShort(address, 1))),
        access("putInt", store(address -> Memory.putInt(address, 1))),
        access("publishInt", store(address -> Memory.publishInt(address, 1))),
        access("putLong", store(address -> Memory.putLong(address, 1))),
        access("publishLong", store(address -> Memory.publishLong(address, 1))),
        access("copy", store(address -> Memory.copy(address, address + 1024, 64))),
        access("fill", store(address -> Memory.fill(address, 64, 1))),
        access("copyToArray", store(address -> Memory.copyToArray(address, array, 0, 64))),
        access("copyFromArray", store(address -> Memory.copyFromArray(array, 0, address, 64))));
  }

  private static Arguments access(String name, Access access) {
    return Arguments.of(Named.of(name, access));
  }

  @ParameterizedTest
  @MethodSource("everyAccess")
  void raisesAnErrorWhereAPageHasVanished(Access access) throws Exception {
    try (Fd file = SharedFile.create("vanishing", PAGE);
        Mapping mapping = Mapping.of(file.value(), 0, PAGE, true)) {
      // Compiled and interpreted code meet a fault differently.
      long sum = 0;
      for (int i = 0; i < 30_000; i++) {
        sum += access.at(mapping.address());
      }
      SharedFile.truncate(file.value(), 0);
      String warm = "summed " + sum + " before";
      assertThrows(InternalError.class, () -> touch(access, mapping.address()), warm);
    }
  }

  private static void touch(Access access, long address) {
    long got = access.at(address);
    // The JVM may raise the error later than the access: at the latest on the way back from native
    // code.
    assertFalse(EventFd.signal(-1));
    assertEquals(0, got, "read from a page that is not there");
  }
}
