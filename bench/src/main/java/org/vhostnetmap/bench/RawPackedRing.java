// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.Memory;

/**
 * The driver's side of one packed virtqueue (virtio 1.3, 2.8), as cheap as can be: each used
 * descriptor is made available again where it is. Without event index and without calls. One
 * thread. Allocates nothing after its making.
 */
final class RawPackedRing {
  private static final int STRIDE = 33 * 64;
  private static final int FLAGS_SHIFT = 48;
  private static final long WRITE = 2L << FLAGS_SHIFT;
  private static final long AVAIL = 0x80L << FLAGS_SHIFT;
  private static final long USED = 0x8000L << FLAGS_SHIFT;
  private static final long ID = 0xffffL << 32;
  private static final int DISABLE = 1;

  private final int size;
  private final long words; // host address of the first descriptor's length, id and flags
  private final long deviceEvent;
  private final long given; // length and flags of each buffer
  private final Runnable kick;
  private int slot; // the next one that the device is to use
  private boolean wrap = true;

  /**
   * A ring with all its buffers available.
   *
   * @param driver only tells where the ring and the buffers are: its three areas are large enough
   * @param number even for a receiveq, odd for a transmitq
   * @param length of each buffer
   */
  RawPackedRing(FakeDriver driver, int number, int length, Runnable kick) {
    this.kick = kick;
    size = driver.size();
    words = driver.host(driver.descriptorTable()) + 8;
    deviceEvent = driver.host(driver.usedRing());
    given = length | (number % 2 == 0 ? WRITE : 0);
    Memory.putInt(driver.host(driver.availableRing()), DISABLE << 16);
    for (int i = size - 1; i >= 0; i--) {
      Memory.putLong(words + 16L * i - 8, driver.arena() + (long) i * STRIDE);
      Memory.publishLong(words + 16L * i, given | (long) i << 32 | AVAIL);
    }
    kick.run();
  }

  /** What was used is available again; how many these were. */
  int recycle() {
    int count = 0;
    while (count < size) {
      long word = Memory.getLongAcquire(words + 16L * slot);
      if ((word & (AVAIL | USED)) != (wrap ? AVAIL | USED : 0)) {
        break;
      }
      Memory.publishLong(words + 16L * slot, given | (word & ID) | (wrap ? USED : AVAIL));
      count++;
      if (++slot == size) {
        slot = 0;
        wrap = !wrap;
      }
    }
    if (count > 0) {
      Memory.fullFence();
      if (Memory.getUnsignedIntAcquire(deviceEvent) >>> 16 != DISABLE) {
        kick.run();
      }
    }
    return count;
  }
}
