// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Arrays;

/**
 * Which port a MAC address was last seen at: an open-addressed table of longs that workers read
 * without a lock.
 *
 * <p>An entry is the address in the low 48 bits and port + 1 in the high 16; 0 is an empty place. A
 * port may have {@link #QUOTA} addresses: beyond that its own oldest gives way, so that a flood of
 * source addresses evicts only its own. Learning, ageing and forgetting happen under the table's
 * monitor and, where a place must become empty, in a copy that replaces the old table whole.
 */
final class MacTable {
  /** The 48 bits of an address. */
  static final long MAC_MASK = (1L << 48) - 1;

  /** Addresses that one port may have. */
  static final int QUOTA = 256;

  private static final long GROUP_BIT =
      1; // of the first byte on the wire, which is the lowest here

  /** An entry whose address has no port, until it ages. */
  private static final long NOWHERE = 0xffffL << 48;

  /** Odd and random, so that nobody can choose addresses that all fall into one place. */
  private static final long MULTIPLIER =
      java.util.concurrent.ThreadLocalRandom.current().nextLong() | 1;

  private final long ageingSeconds;
  private volatile Entries entries;
  private final int[] learned; // addresses per port
  private final long[] evicted; // second of each port's last eviction
  private long moves;
  private long refusals;

  private static final class Entries {
    final long[] entry;
    final long[] seen; // seconds; written without order, a hint
    final int mask;

    Entries(int places) {
      entry = new long[places];
      seen = new long[places];
      mask = places - 1;
    }

    int find(long mac) {
      int place = place(mac);
      while (entry[place] != 0 && (entry[place] & MAC_MASK) != mac) {
        place = (place + 1) & mask;
      }
      return place;
    }

    private int place(long mac) {
      long mixed = mac * MULTIPLIER;
      return (int) (mixed >>> 40) & mask;
    }
  }

  /**
   * A table for ports 0 to {@code ports - 1}; an address that was not seen for {@code
   * ageingSeconds} is forgotten at the next {@link #age}.
   */
  MacTable(int ports, long ageingSeconds) {
    this.ageingSeconds = ageingSeconds;
    learned = new int[ports];
    evicted = new long[ports];
    Arrays.fill(evicted, Long.MIN_VALUE);
    entries = new Entries(Integer.highestOneBit(Math.max(16, ports * QUOTA * 2)) * 2);
  }

  /** Whether an address stands for a group or for everybody. */
  static boolean isGroup(long mac) {
    return (mac & GROUP_BIT) != 0;
  }

  /** The port an address was last seen at, or -1. */
  int lookup(long mac) {
    Entries table = entries;
    return port(table.entry[table.find(mac)]);
  }

  private static int port(long entry) {
    long port = entry >>> 48;
    return port == NOWHERE >>> 48 ? -1 : (int) port - 1;
  }

  /**
   * Notes that an address was seen at a port. Group addresses and 0 are nobody's and are not
   * learned.
   */
  void learn(long mac, int port, long nowSeconds) {
    if (isGroup(mac) || mac == 0) {
      return;
    }
    Entries table = entries;
    int place = table.find(mac);
    long entry = mac | ((port + 1L) << 48);
    if (table.entry[place] == entry) {
      table.seen[place] = nowSeconds;
    } else {
      insert(mac, port, nowSeconds);
    }
  }

  private synchronized void insert(long mac, int port, long nowSeconds) {
    Entries table = entries;
    int place = table.find(mac);
    int before = port(table.entry[place]);
    if (before == port) {
      return;
    }
    if (learned[port] >= QUOTA) {
      evictOldest(port, nowSeconds);
      table = entries;
      place = table.find(mac);
      if (learned[port] >= QUOTA) {
        refusals++;
        if (before >= 0 && table.entry[place] != 0) {
          // It is not where it was, and may not be where it is: frames for it are flooded.
          learned[before]--;
          table.entry[place] = mac | NOWHERE;
        }
        return;
      }
    }
    if (before >= 0) {
      learned[before]--;
      moves++;
    }
    learned[port]++;
    table.seen[place] = nowSeconds;
    table.entry[place] = mac | ((port + 1L) << 48);
  }

  /**
   * Makes room in a full quota, at most once a second per port so that a flood can't make us copy
   * tables all day.
   */
  private void evictOldest(int port, long nowSeconds) {
    if (evicted[port] == nowSeconds) {
      return;
    }
    evicted[port] = nowSeconds;
    long oldest = Long.MAX_VALUE;
    for (int i = 0; i < entries.entry.length; i++) {
      if ((entries.entry[i] >>> 48) == port + 1) {
        oldest = Math.min(oldest, entries.seen[i]);
      }
    }
    if (oldest >= nowSeconds) {
      return;
    }
    long limit = oldest;
    rebuild((entry, seen) -> (entry >>> 48) != port + 1 || seen > limit);
  }

  /** Forgets what was not seen for the ageing time. */
  synchronized void age(long nowSeconds) {
    rebuild((entry, seen) -> nowSeconds - seen < ageingSeconds);
  }

  /** Forgets all addresses of a port. */
  synchronized void forget(int port) {
    rebuild((entry, seen) -> (entry >>> 48) != port + 1);
  }

  private interface Keep {
    boolean test(long entry, long seen);
  }

  private void rebuild(Keep keep) {
    Entries old = entries;
    Entries fresh = new Entries(old.entry.length);
    Arrays.fill(learned, 0);
    boolean same = true;
    for (int i = 0; i < old.entry.length; i++) {
      long entry = old.entry[i];
      if (entry == 0) {
        continue;
      }
      if (keep.test(entry, old.seen[i])) {
        int place = fresh.find(entry & MAC_MASK);
        fresh.entry[place] = entry;
        fresh.seen[place] = old.seen[i];
        if (port(entry) >= 0) {
          learned[port(entry)]++;
        }
      } else {
        same = false;
      }
    }
    if (!same) {
      entries = fresh;
    }
  }

  /** Addresses learned at a port. */
  synchronized int count(int port) {
    return learned[port];
  }

  /** Times an address turned up at another port. */
  synchronized long moves() {
    return moves;
  }

  /** Addresses that found their port's quota full of younger ones. */
  synchronized long refusals() {
    return refusals;
  }
}
