// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.vhostnetmap.virtqueue.PackedLayout.WRAP;

/// Where a packed ring stands, as VHOST_USER_SET_VRING_BASE and GET_VRING_BASE tell it.
///
/// ```
///   bit 31 used wrap counter | 30-16 next used slot | 15 available wrap counter | 14-0 next available slot
/// ```
///
/// We take no chain without giving it back, so both places are one. Who tells two different ones
/// had chains in flight: we begin with those, at the used place, as with a split ring whose
/// front-end lost its back-end. But peers that know the lower half only (DPDK on both sides, and
/// QEMU after such a back-end) leave zero in the upper one; they had nothing in flight, so there
/// the lower half counts.
final class PackedBase {
  /** Both at slot 0, both wrap counters 1 (virtio 1.3, 2.8.1). */
  static final long FIRST = 0x8000_8000L;

  private static final int HALF = 16;

  private PackedBase() {}

  /** The place to go on at: the slot, and {@link PackedLayout#WRAP} when the counter is 1. */
  static int place(int base) {
    int available = base & 0xffff;
    int used = base >>> HALF;
    return used == 0 || !behind(used, available) ? available : used;
  }

  /** Whether the used place is not ahead of the available one, and no more than a lap behind it. */
  private static boolean behind(int used, int available) {
    boolean sameLap = ((used ^ available) & WRAP) == 0;
    return sameLap ? slot(used) <= slot(available) : slot(used) >= slot(available);
  }

  static int slot(int place) {
    return place & (WRAP - 1);
  }

  static boolean wrap(int place) {
    return (place & WRAP) != 0;
  }

  /** The base of a ring whose chains are all used. */
  static int of(int slot, boolean wrap) {
    int place = slot | (wrap ? WRAP : 0);
    return place << HALF | place;
  }
}
