// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sizes, alignments and places of rings (virtio 1.3, 2.7 and 2.8.10.1). */
class RingFormatTest {
  private static Virtqueue.Setup setup(
      RingFormat format, int size, long descriptors, long driver, long device, int base) {
    return new Virtqueue.Setup(
        format, size, descriptors, driver, device, base, Direction.READABLE, false, false, false);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 3, 5, 24, 300, 32767, 32769, 65536, Integer.MIN_VALUE})
  void splitRingsHaveAPowerOfTwoOfEntries(int size) {
    assertThrows(
        IllegalArgumentException.class, () -> setup(RingFormat.SPLIT, size, 16, 16, 16, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 300, 32767, 32768})
  void packedRingsHaveAnyNumberOfEntries(int size) {
    assertEquals(size, setup(RingFormat.PACKED, size, 16, 16, 16, 0).size());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 32769, 65536, Integer.MIN_VALUE})
  void packedRingsHaveNoMoreThan32768(int size) {
    assertThrows(
        IllegalArgumentException.class, () -> setup(RingFormat.PACKED, size, 16, 16, 16, 0));
  }

  @ParameterizedTest
  @CsvSource({
    "SPLIT, 8, 16, 16", "SPLIT, 16, 17, 16", "SPLIT, 16, 16, 18",
    "PACKED, 8, 16, 16", "PACKED, 16, 18, 16", "PACKED, 16, 16, 18"
  })
  void areasAreAligned(RingFormat format, long descriptors, long driver, long device) {
    assertThrows(
        IllegalArgumentException.class,
        () -> setup(format, 16, descriptors, driver, device, (int) format.firstBase()));
  }

  @ParameterizedTest
  @CsvSource({
    "0x80008000, 0x8000", // as a ring begins
    "0x00008000, 0x8000", // the same from who tells 16 bits only
    "0x00000005, 5",
    "0x00008005, 0x8005",
    "0x80058005, 0x8005",
    "0x00050005, 5",
    "0x80038005, 0x8003", // two in flight
    "0x80050005, 0x8005", // the whole ring in flight
    "0x80060002, 0x8006", // some in flight across the end of the ring
    "0x80078005, 0x8005", // used ahead of available: that can't be
    "0x80020006, 6", // more than a lap behind: that can't be
  })
  void aPackedRingGoesOnAtTheUsedPlaceIfItCanBe(String base, String place) {
    assertEquals(
        Integer.decode(place), PackedBase.place((int) (long) Long.decode(base)), "of " + base);
  }

  @Test
  void aPackedRingCannotStandOutsideItself() {
    assertFalse(RingFormat.PACKED.isBase(0x8008_8008, 8));
    assertThrows(
        IllegalArgumentException.class, () -> setup(RingFormat.PACKED, 8, 16, 16, 16, 0x8008_8008));
  }
}
