// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.linux.Memory;

/** Time of day for ring timestamps, without allocation. */
final class Clock {
  private static final long MILLION = 1_000_000;

  /** What to add to the monotonic clock, in microseconds; a clock set later is not followed. */
  private static final long OFFSET_MICROS =
      System.currentTimeMillis() * 1000 - System.nanoTime() / 1000;

  private Clock() {}

  /** Writes a {@code struct timeval}. */
  static void stamp(long address) {
    long micros = OFFSET_MICROS + System.nanoTime() / 1000;
    Memory.putLong(address, micros / MILLION);
    Memory.putLong(address + 8, micros % MILLION);
  }
}
