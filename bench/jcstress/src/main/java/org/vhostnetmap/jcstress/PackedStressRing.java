// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jcstress;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.RingFormat;

/** The driver's side of a packed ring in its first lap, from virtio 1.3, 2.8. */
abstract class PackedStressRing extends StressRing {
  private static final int FLAGS = 14;
  private static final int WRITE = 2;
  private static final int AVAIL = 0x80;
  private static final int USED = 0x8000;
  private static final int ENABLE = 0;
  private static final int DISABLE = 1;
  private static final int DESC = 2;
  private static final int WRAP = 0x8000;

  private final boolean eventIndex;
  private final int flags;

  /**
   * @param chains that are available at the start
   */
  PackedStressRing(Direction direction, boolean eventIndex, int chains) {
    super(RingFormat.PACKED, direction, eventIndex);
    this.eventIndex = eventIndex;
    flags = direction == Direction.WRITABLE ? WRITE : 0;
    driverWantsCalls(false);
    refuseKicks();
    driverAdds(0, 1, 1);
    give(take());
    if (chains > 0) {
      driverAdds(1, chains, BUFFER_BYTES);
    }
  }

  /** Makes one or two chains available from this place on; returns whether it kicks. */
  final boolean driverAdds(int place, int count, int length) {
    for (int i = count - 1; i >= 0; i--) {
      long descriptor = descriptors + 16L * (place + i);
      Memory.putLong(descriptor, guestBuffer());
      Memory.putInt(descriptor + 8, length);
      Memory.putShort(descriptor + 12, place + i);
      // The first one's flags last of all: it shows those behind it too (2.8.21).
      Memory.publishShort(descriptor + FLAGS, flags | AVAIL);
    }
    Memory.fullFence();
    long event = Memory.getUnsignedIntAcquire(deviceArea);
    return event >>> 16 == DESC ? (event & 0xffff) == (WRAP | place) : event >>> 16 == ENABLE;
  }

  /** Before the driver sleeps until the second chain is used (true), or while it is awake. */
  final void driverWantsCalls(boolean wanted) {
    int wish = eventIndex ? DESC << 16 | WRAP | 1 : ENABLE << 16;
    Memory.publishInt(driverArea, wanted ? wish : DISABLE << 16);
    Memory.fullFence();
  }

  /** Whether the descriptor at this place was used. */
  final boolean isUsed(int place) {
    int now = Memory.getUnsignedShortAcquire(descriptors + 16L * place + FLAGS);
    return (now & (AVAIL | USED)) == (AVAIL | USED);
  }

  /** The length in the descriptor at this place. */
  final int usedLength(int place) {
    return (int) Memory.getUnsignedInt(descriptors + 16L * place + 8);
  }
}
