// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;

import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** T-toctou, by force: another thread changes every field while the device looks and copies. */
class ChangingMemoryTest {
  private static final int SIZE = 16;
  private static final int TABLE = 8;
  private static final long NANOS = 1_500_000_000L;

  @ParameterizedTest
  @CsvSource({"SPLIT, READABLE", "SPLIT, WRITABLE", "PACKED, READABLE", "PACKED, WRITABLE"})
  void neverHandsOutASegmentOutsideGuestMemory(RingFormat format, Direction direction)
      throws InterruptedException {
    try (TestRing ring = new TestRing(Options.of(format, SIZE).direction(direction), 4096)) {
      long table = ring.driver.buffer(16 * TABLE);
      AtomicBoolean stop = new AtomicBoolean();
      Thread guest = Thread.ofPlatform().start(() -> flip(ring, table, direction, stop));
      long good = 0;
      long bad = 0;
      try {
        long end = System.nanoTime() + NANOS;
        while (System.nanoTime() - end < 0) {
          try {
            good += look(ring, direction);
          } catch (GuestFault fault) {
            bad++;
          }
        }
      } finally {
        stop.set(true);
        guest.join();
      }
      assertTrue(good > 1000 && bad > 1000, good + " good chains, " + bad + " faults");
    }
  }

  private static int look(TestRing ring, Direction direction) throws GuestFault {
    int count = ring.peek();
    long begin = ring.host.address();
    long end = begin + ring.host.bytes();
    for (int s = 0; s < ring.chains.firstSegment[count]; s++) {
      long address = ring.chains.segmentAddress[s];
      int length = ring.chains.segmentLength[s];
      if (length <= 0 || address < begin || address + length > end) {
        throw new AssertionError("segment outside guest memory: " + length + " bytes");
      }
      if (direction == Direction.WRITABLE) {
        Memory.fill(address, length, 0x77); // the canaries of HostMemory would notice
      }
    }
    return count;
  }

  /** Each field of each descriptor, now good, now bad; so are heads and the available index. */
  private static void flip(TestRing ring, long table, Direction direction, AtomicBoolean stop) {
    Random random = new Random(1);
    int write = direction == Direction.WRITABLE ? 2 : 0;
    long[] addresses = {
      TestRing.GUEST, ring.guestEnd() - 64, ring.guestEnd() - 1, ring.guestEnd(), -1, 0
    };
    int[] lengths = {1, 64, 64, 65, 4096, 0, 1 << 30, -1};
    int[] flags = {0, 0, NEXT, 1 << 1, INDIRECT};
    while (!stop.get()) {
      for (int i = 0; i < SIZE + TABLE; i++) {
        long guest = i < SIZE ? ring.driver.descriptorArea() + 16L * i : table + 16L * (i - SIZE);
        long where = ring.driver.host(guest);
        int flag = flags[random.nextInt(flags.length)] ^ write;
        boolean useTable = flag == (INDIRECT ^ write) && i < SIZE;
        Memory.putLong(where, useTable ? table : addresses[random.nextInt(addresses.length)]);
        Memory.putInt(where + 8, useTable ? 16 * TABLE : lengths[random.nextInt(lengths.length)]);
        if (ring.driver instanceof FakeDriver split) {
          Memory.putShort(where + 12, flag);
          Memory.putShort(where + 14, random.nextInt(TABLE + 1));
          Memory.putShort(
              split.host(split.availableRing()) + 4 + 2L * (i % SIZE), random.nextInt(SIZE + 1));
        } else {
          // Available in the first lap, mostly.
          Memory.putShort(where + 14, flag | (random.nextInt(16) == 0 ? 1 << 15 : 1 << 7));
        }
      }
      if (ring.driver instanceof FakeDriver split) {
        split.availableIndex(random.nextInt(16) == 0 ? SIZE + 1 : random.nextInt(SIZE));
      }
    }
  }
}
