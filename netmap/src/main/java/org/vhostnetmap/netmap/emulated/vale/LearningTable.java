// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which port an address was last seen on: a hash of a fixed size where a newcomer takes the place
 * of whoever is there, without ageing, as netmap has it. So no flood of addresses makes it grow;
 * the worst is that frames are flooded. Thread-safe; readers and writers don't wait, the last
 * writer wins.
 *
 * <p>An address is the six bytes as they lie in memory, first byte lowest. The all-zero address
 * equals an empty place and is found on port 0, which is netmap's behaviour too.
 */
final class LearningTable {
  /** Not known. */
  static final int UNKNOWN = -1;

  private static final int BITS = 10;
  private static final long ADDRESS = (1L << 48) - 1;

  /** Port above the address. */
  private final AtomicLongArray entries = new AtomicLongArray(1 << BITS);

  private static int hash(long address) {
    // Fibonacci hashing: the product's upper bits depend on all bits of the address.
    return (int) ((address * 0x9E3779B97F4A7C15L) >>> (Long.SIZE - BITS));
  }

  /** Remembers that {@code address} is on {@code port}. */
  void learn(long address, int port) {
    entries.setOpaque(hash(address), ((long) port << 48) | address);
  }

  /** Port of {@code address}, or {@link #UNKNOWN}. */
  int find(long address) {
    long entry = entries.getOpaque(hash(address));
    return (entry & ADDRESS) == address ? (int) (entry >>> 48) : UNKNOWN;
  }

  /** Forgets what is on a port that leaves: its number will mean another one. */
  void forget(int port) {
    for (int i = 0; i < 1 << BITS; i++) {
      long entry = entries.getOpaque(i);
      if (entry >>> 48 == port) {
        entries.compareAndSet(i, entry, 0);
      }
    }
  }
}
