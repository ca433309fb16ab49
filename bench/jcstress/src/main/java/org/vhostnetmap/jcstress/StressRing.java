// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jcstress;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.GuestMemory;
import org.vhostnetmap.virtqueue.RingFormat;
import org.vhostnetmap.virtqueue.Virtqueue;

/// A ring of four entries in memory of its own, with the device's side of it; drivers extend it.
/// Its first chain has gone through already, since of a new ring the device knows nothing of the
/// driver's wishes and calls in any case.
///
/// ```
///   +0    descriptor area: 4 descriptors
///   +64   driver area: available ring, or driver event suppression
///   +80   device area: used ring, or device event suppression
///   +120  the one buffer of all chains: 8 bytes
/// ```
abstract class StressRing {
  static final int SIZE = 4;
  static final int BUFFER_BYTES = 8;

  /** What a good frame has in it. */
  static final int DATA = 42;

  private static final int SLOT = 128;
  private static final int SLOTS = 1 << 17;
  private static final int DRIVER_AREA = 64;
  private static final int DEVICE_AREA = 80;
  private static final int BUFFER = 120;
  private static final long POOL = pool();
  private static final GuestMemory MEMORY =
      GuestMemory.of(List.of(new GuestMemory.Region(0, 0, (long) SLOT * SLOTS, POOL)));
  private static final AtomicInteger NEXT = new AtomicInteger();
  private static final ThreadLocal<Chains> CHAINS = ThreadLocal.withInitial(Chains::new);

  final long descriptors;
  final long driverArea;
  final long deviceArea;
  private final Virtqueue queue;

  StressRing(RingFormat format, Direction direction, boolean eventIndex) {
    descriptors = POOL + (long) (NEXT.getAndIncrement() & (SLOTS - 1)) * SLOT;
    driverArea = descriptors + DRIVER_AREA;
    deviceArea = descriptors + DEVICE_AREA;
    Memory.fill(descriptors, SLOT, 0);
    queue =
        Virtqueue.open(
            new Virtqueue.Setup(
                format,
                SIZE,
                descriptors,
                driverArea,
                deviceArea,
                (int) format.firstBase(),
                direction,
                eventIndex,
                false,
                false),
            MEMORY);
  }

  private static long pool() {
    try {
      return Mapping.anonymous((long) SLOT * SLOTS).address();
    } catch (ErrnoException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Host address of the buffer's bytes. */
  final long buffer() {
    return descriptors + BUFFER;
  }

  /** Guest address of the same. */
  final long guestBuffer() {
    return buffer() - POOL;
  }

  // The device

  /** Takes what is there, at most two chains, and gives back how many and their lengths' sum. */
  final long take() {
    Chains chains = CHAINS.get();
    chains.clear();
    try {
      int count = queue.peek(chains, 2);
      long bytes = 0;
      for (int i = 0; i < count; i++) {
        bytes += chains.length[i];
      }
      return (long) count << 32 | bytes;
    } catch (GuestFault fault) {
      throw new IllegalStateException(fault);
    }
  }

  /** Gives back what {@link #take} took last; whether the driver is to be called. */
  final boolean give(long taken) {
    Chains chains = CHAINS.get();
    int count = (int) (taken >>> 32);
    for (int i = 0; i < count; i++) {
      chains.written[i] = BUFFER_BYTES;
    }
    queue.complete(chains, count);
    return queue.publishAndAsk();
  }

  /** Before it goes to sleep; true when it must not. */
  final boolean wantKicks() {
    try {
      return queue.wantKicks();
    } catch (GuestFault fault) {
      throw new IllegalStateException(fault);
    }
  }

  /** While it is awake. */
  final void refuseKicks() {
    queue.refuseKicks();
  }
}
