// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.virtqueue.GuestMemory.Region;

/** Translation of addresses, compared with arithmetic on numbers that can't overflow. */
class GuestMemoryTest {
  private static final BigInteger TWO_64 = BigInteger.ONE.shiftLeft(64);
  private static final long[] SMALL = {-4096, -9, -8, -2, -1, 0, 1, 2, 7, 8, 9, 4096};

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void translatesOnlyWhatLiesWhollyInOneRegion(int count) {
    for (long gap : new long[] {0, 1, 8, 4096, 1L << 40}) {
      for (long base :
          new long[] {0, 1, 0x1000, Long.MAX_VALUE - 20_000, endingAtTheTop(gap, count)}) {
        checkAllEdges(regions(count, base, gap));
      }
    }
  }

  @Test
  void translatesAcrossMixedGaps() {
    Random random = new Random(7);
    for (int layout = 0; layout < 20; layout++) {
      List<Region> regions = new ArrayList<>();
      long guest = random.nextLong() >>> random.nextInt(40);
      for (int i = 0; i < 8 && Long.compareUnsigned(guest, -100_000) < 0; i++) {
        long size = 1 + random.nextLong(9000);
        regions.add(new Region(guest, frontend(i), size, host(i)));
        guest += size + (random.nextBoolean() ? 0 : random.nextInt(5000));
      }
      Collections.shuffle(regions, random);
      checkAllEdges(regions);
    }
  }

  private static List<Region> regions(int count, long base, long gap) {
    List<Region> regions = new ArrayList<>();
    long guest = base;
    for (int i = 0; i < count; i++) {
      regions.add(new Region(guest, frontend(i), size(i), host(i)));
      guest += size(i) + gap;
    }
    return regions;
  }

  private static long endingAtTheTop(long gap, int count) {
    long bytes = -gap;
    for (int i = 0; i < count; i++) {
      bytes += size(i) + gap;
    }
    return -bytes;
  }

  private static long size(int i) {
    return i % 3 == 2 ? 1 : 4096L * (i + 1);
  }

  private static long host(int i) {
    return 0x7f00_0000_0000L - i * 0x10_0000L; // descending, so that neighbours are no neighbours
  }

  private static long frontend(int i) {
    return 0xffff_8000_0000_0000L + i * 0x10_0000L; // "negative" numbers
  }

  private static void checkAllEdges(List<Region> regions) {
    GuestMemory memory = GuestMemory.of(regions);
    TreeSet<Long> addresses = new TreeSet<>(List.of(0L, -1L, Long.MIN_VALUE, Long.MAX_VALUE));
    TreeSet<Long> lengths = new TreeSet<>(List.of(0xffff_ffffL, 1L << 31, (1L << 31) - 1));
    for (Region region : regions) {
      for (long small : SMALL) {
        addresses.add(region.guestAddress() + small);
        addresses.add(region.guestAddress() + region.size() + small);
        lengths.add(Math.max(0, small));
        lengths.add(Math.max(0, region.size() + small));
      }
    }
    for (long address : addresses) {
      for (long length : lengths) {
        long expected = 0;
        for (Region region : regions) {
          if (inside(region.guestAddress(), region.size(), address, length)) {
            expected = region.hostAddress() + (address - region.guestAddress());
          }
        }
        if (expected != memory.translate(address, length)) {
          assertEquals(
              Long.toHexString(expected),
              Long.toHexString(memory.translate(address, length)),
              Long.toHexString(address) + " + " + length + " in " + regions);
        }
      }
    }
  }

  /** Whether [address, address + length) lies in the region; no bytes lie where they begin. */
  private static boolean inside(long begin, long size, long address, long length) {
    BigInteger regionBegin = unsigned(begin);
    BigInteger regionEnd = regionBegin.add(BigInteger.valueOf(size));
    BigInteger first = unsigned(address);
    BigInteger end = first.add(BigInteger.valueOf(Math.max(length, 1)));
    return first.compareTo(regionBegin) >= 0 && end.compareTo(regionEnd) <= 0;
  }

  private static BigInteger unsigned(long value) {
    return BigInteger.valueOf(value).mod(TWO_64);
  }

  @Test
  void translatesFrontendAddressesByTheirOwnNumbers() {
    List<Region> regions = regions(8, 0, 0);
    GuestMemory memory = GuestMemory.of(regions);
    for (Region region : regions) {
      long last = region.frontendAddress() + region.size() - 1;
      assertEquals(region.hostAddress(), memory.translateFrontend(region.frontendAddress(), 1));
      assertEquals(region.hostAddress() + region.size() - 1, memory.translateFrontend(last, 1));
      assertEquals(0, memory.translateFrontend(last, 2));
      assertEquals(0, memory.translateFrontend(region.frontendAddress() - 1, 1));
      assertEquals(0, memory.translateFrontend(region.frontendAddress(), region.size() + 1));
      assertEquals(0, memory.translateFrontend(region.frontendAddress(), -1));
    }
  }

  @Test
  void findsNothingInNoMemory() {
    assertEquals(0, GuestMemory.NONE.translate(0, 0));
    assertEquals(0, GuestMemory.NONE.translateFrontend(0, 0));
  }

  @Test
  void refusesNegativeLengths() {
    GuestMemory memory = GuestMemory.of(regions(1, 0x1000, 0));
    assertEquals(0, memory.translate(0x1000, -1));
    assertEquals(0, memory.translate(0x1000, Long.MIN_VALUE));
  }

  @Test
  void listsRegionsByAscendingUnsignedAddress() {
    Region high = new Region(0xffff_0000_0000_0000L, 0, 16, 64);
    Region low = new Region(0x1000, 0, 16, 128);
    assertEquals(List.of(low, high), GuestMemory.of(List.of(high, low)).regions());
  }

  @Test
  void refusesRegionsThatOverlapOrWrap() {
    for (long begin : new long[] {0x1001, 0x1000, 0x1fff}) {
      List<Region> overlapping =
          List.of(new Region(0x1000, 0, 0x1000, 64), new Region(begin, 0x5000, 1, 64));
      assertThrows(IllegalArgumentException.class, () -> GuestMemory.of(overlapping));
    }
    assertThrows(IllegalArgumentException.class, () -> new Region(-1, 0, 2, 64));
    assertThrows(IllegalArgumentException.class, () -> new Region(0, -1, 2, 64));
    assertThrows(IllegalArgumentException.class, () -> new Region(0, 0, 0, 64));
    assertThrows(IllegalArgumentException.class, () -> new Region(0, 0, -1, 64));
    assertThrows(IllegalArgumentException.class, () -> new Region(0, 0, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Region(0, 0, Long.MAX_VALUE, 64));
  }
}
