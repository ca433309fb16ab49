// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jcstress;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.RingFormat;

/** The driver's side of a split ring, from virtio 1.3, 2.7. */
abstract class SplitStressRing extends StressRing {
  private static final int INDEX = 2;
  private static final int RING = 4;
  private static final int USED_EVENT = RING + 2 * SIZE;
  private static final int AVAILABLE_EVENT = RING + 8 * SIZE;
  private static final int WRITE = 2;

  private final boolean eventIndex;
  private final int flags;

  /**
   * @param chains that are available at the start
   */
  SplitStressRing(Direction direction, boolean eventIndex, int chains) {
    super(RingFormat.SPLIT, direction, eventIndex);
    this.eventIndex = eventIndex;
    flags = direction == Direction.WRITABLE ? WRITE : 0;
    driverWantsCalls(false);
    refuseKicks();
    driverAdds(0, 1);
    give(take());
    if (chains > 0) {
      driverAdds(1, BUFFER_BYTES);
    }
  }

  /** Makes a chain available at this place; returns whether it kicks. */
  final boolean driverAdds(int place, int length) {
    long descriptor = descriptors + 16L * place;
    Memory.putLong(descriptor, guestBuffer());
    Memory.putLong(descriptor + 8, length | (long) flags << 32);
    Memory.putShort(driverArea + RING + 2L * place, place);
    Memory.publishShort(driverArea + INDEX, place + 1);
    Memory.fullFence();
    if (eventIndex) {
      return Memory.getUnsignedShort(deviceArea + AVAILABLE_EVENT) == place;
    }
    return (Memory.getUnsignedShort(deviceArea) & 1) == 0;
  }

  /** Before the driver sleeps until the second chain is used (true), or while it is awake. */
  final void driverWantsCalls(boolean wanted) {
    if (eventIndex) {
      Memory.putShort(driverArea + USED_EVENT, wanted ? 1 : 0x7fff);
    } else {
      Memory.putShort(driverArea, wanted ? 0 : 1);
    }
    Memory.fullFence();
  }

  /** The used index. */
  final int usedIndex() {
    return Memory.getUnsignedShortAcquire(deviceArea + INDEX);
  }

  /** The length in the used element at this place. */
  final int usedLength(int place) {
    return (int) Memory.getUnsignedInt(deviceArea + RING + 8L * place + 4);
  }
}
