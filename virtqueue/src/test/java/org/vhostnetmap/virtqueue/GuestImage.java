// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestMemory.Region;

/**
 * Guest memory of several regions, each somewhere else in this process between canaries, filled
 * with noise; and the naive view of it, byte by byte, that the fast one is compared with.
 */
final class GuestImage implements AutoCloseable {
  private final List<HostMemory> backing = new ArrayList<>();
  private final List<Region> regions = new ArrayList<>();

  /** One to eight regions at random places, adjacent or not, perhaps at the top of all memory. */
  static GuestImage random(Random random) {
    int count = 1 + random.nextInt(8);
    long[] sizes = new long[count];
    long[] gaps = new long[count];
    long total = 0;
    for (int i = 0; i < count; i++) {
      sizes[i] = random.nextInt(4) == 0 ? 1 + random.nextInt(40) : 8L * (1 + random.nextInt(300));
      gaps[i] = i == 0 || random.nextBoolean() ? 0 : 1 + random.nextInt(64);
      total += sizes[i] + gaps[i];
    }
    long base =
        switch (random.nextInt(4)) {
          case 0 -> 0;
          case 1 -> -total; // the last byte is the last of all
          case 2 -> Long.MAX_VALUE - random.nextInt((int) total); // across the sign
          default -> (random.nextLong() >>> 20) & -8;
        };
    GuestImage image = new GuestImage();
    for (int i = 0; i < count; i++) {
      base += gaps[i];
      image.add(base, sizes[i], random);
      base += sizes[i];
    }
    return image;
  }

  private void add(long guestAddress, long size, Random random) {
    HostMemory host = new HostMemory(size);
    byte[] noise = new byte[(int) size];
    random.nextBytes(noise);
    Memory.copyFromArray(noise, 0, host.address(), noise.length);
    backing.add(host);
    regions.add(new Region(guestAddress, 0x7000_0000_0000L, size, host.address()));
  }

  List<Region> regions() {
    return Collections.unmodifiableList(regions);
  }

  /** As the device gets it, in any order. */
  GuestMemory memory(Random random) {
    List<Region> shuffled = new ArrayList<>(regions);
    Collections.shuffle(shuffled, random);
    return GuestMemory.of(shuffled);
  }

  /** The region that holds this byte, or null. */
  @org.jspecify.annotations.Nullable
  Region at(long guestAddress) {
    for (Region region : regions) {
      boolean behindBegin = Long.compareUnsigned(guestAddress, region.guestAddress()) >= 0;
      long last = region.guestAddress() + (region.size() - 1);
      if (behindBegin && Long.compareUnsigned(guestAddress, last) <= 0) {
        return region;
      }
    }
    return null;
  }

  /** The byte at a guest address, or -1. */
  int get(long guestAddress) {
    Region region = at(guestAddress);
    return region == null
        ? -1
        : Memory.getUnsignedByte(region.hostAddress() + (guestAddress - region.guestAddress()));
  }

  /** Stores what lies in memory of {@code count} little-endian bytes. */
  void put(long guestAddress, long value, int count) {
    for (int i = 0; i < count; i++) {
      Region region = at(guestAddress + i);
      if (region != null) {
        long host = region.hostAddress() + (guestAddress + i - region.guestAddress());
        Memory.putByte(host, (int) (value >>> (8 * i)) & 0xff);
      }
    }
  }

  @Override
  public void close() {
    backing.forEach(HostMemory::close);
  }
}
