// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.Memory;

/**
 * The driver's side of one split virtqueue (virtio 1.3, 2.7), as cheap as can be: descriptor i
 * names buffer i for ever, buffers go round in order, and so the available ring is written once.
 * One thread. Allocates nothing after its making.
 */
final class RawRing {
  /** Not a multiple of a page: else the first lines of all buffers would share a cache's sets. */
  private static final int STRIDE = 33 * 64;

  private static final int INDEX = 2;
  private static final int RING = 4;

  private final Runnable kick;
  private final int size;
  private final int mask;
  private final long availableRing;
  private final long usedRing;
  private final long buffers;
  private final long lengths; // host address of the first descriptor's length
  private final boolean eventIndex;
  private int available; // what the device may see after the next flush()
  private int published;
  private int reclaimed; // up to here the device's used entries were taken

  /**
   * @param driver only tells where the ring is
   * @param number even for a receiveq, whose buffers the device writes; odd for a transmitq
   * @param kick tells the device that there is something new
   */
  RawRing(FakeDriver driver, int number, boolean eventIndex, Runnable kick) {
    this.kick = kick;
    this.eventIndex = eventIndex;
    size = driver.size();
    mask = size - 1;
    availableRing = driver.host(driver.availableRing());
    usedRing = driver.host(driver.usedRing());
    buffers = driver.host(driver.arena());
    lengths = driver.host(driver.descriptorTable()) + 8;
    for (int i = 0; i < size; i++) {
      long buffer = driver.arena() + (long) i * STRIDE;
      driver.descriptor(i, buffer, STRIDE, number % 2 == 0 ? FakeDriver.WRITE : 0, 0);
      Memory.putShort(availableRing + RING + 2L * i, i);
    }
    callMe(false);
  }

  /** Entries. */
  int size() {
    return size;
  }

  /** Host address of the i-th buffer, where the virtio-net header stands. */
  long buffer(int i) {
    return buffers + (long) (i & mask) * STRIDE;
  }

  /** Length of what the device shall read of every buffer, in bytes, header included. */
  void lengths(int bytes) {
    for (int i = 0; i < size; i++) {
      Memory.putInt(lengths + 16L * i, bytes);
    }
  }

  /** Buffers that are ours: neither made available nor waiting for {@link #reclaim}. */
  int room() {
    return size - ((available - reclaimed) & 0xffff);
  }

  /** Index of the buffer that the next {@link #push} hands over. */
  int next() {
    return available;
  }

  /** Hands the next {@code count} buffers to the device, at the next {@link #flush}. */
  void push(int count) {
    available = (available + count) & 0xffff;
  }

  /** Publishes what was pushed, and kicks if the device wants that. */
  void flush() {
    if (available == published) {
      return;
    }
    int before = published;
    Memory.publishShort(availableRing + INDEX, available);
    published = available;
    Memory.fullFence();
    if (kickWanted(before)) {
      kick.run();
    }
  }

  private boolean kickWanted(int before) {
    if (!eventIndex) {
      return (Memory.getUnsignedShort(usedRing) & 1) == 0;
    }
    int event = Memory.getUnsignedShort(usedRing + RING + 8L * size);
    return ((available - event - 1) & 0xffff) < ((available - before) & 0xffff);
  }

  /** Buffers that the device has used and that were not reclaimed yet. */
  int used() {
    return (Memory.getUnsignedShortAcquire(usedRing + INDEX) - reclaimed) & 0xffff;
  }

  /** Index of the first of them. */
  int firstUsed() {
    return reclaimed;
  }

  /** Bytes that the device says it wrote into the {@code i}-th buffer. */
  long usedLength(int i) {
    return Memory.getUnsignedInt(usedRing + RING + 8L * (i & mask) + 4);
  }

  /**
   * Takes the first {@code count} used buffers back.
   *
   * @throws IllegalStateException when the device does not use buffers in order
   */
  void reclaim(int count) {
    int last = (reclaimed + count - 1) & 0xffff;
    if (count > 0 && Memory.getUnsignedInt(usedRing + RING + 8L * (last & mask)) != (last & mask)) {
      throw new IllegalStateException("the back-end gives buffers back out of order");
    }
    reclaimed = (reclaimed + count) & 0xffff;
  }

  /** All that was used is ours, and goes back to the device at once; how many these were. */
  int recycle() {
    int used = used();
    if (used > 0) {
      reclaim(used);
      push(used);
      flush();
    }
    return used;
  }

  /** Whether the device shall call when it has used the next buffer. */
  void callMe(boolean wanted) {
    if (!eventIndex) {
      Memory.putShort(availableRing, wanted ? 0 : 1);
    } else {
      // Not wanted: so far away that it comes once in 65536 frames.
      int event = wanted ? reclaimed : reclaimed - 1;
      Memory.putShort(availableRing + RING + 2L * size, event);
    }
  }
}
