// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.concurrent.atomic.AtomicLong;

/** What the kernel's netmap would write to its log about a user: five lines a second at most. */
final class Complaints {
  private static final System.Logger LOG = System.getLogger(Complaints.class.getName());
  private static final int PER_SECOND = 5;
  private static final long SECOND = 1_000_000_000L;

  private static final AtomicLong START = new AtomicLong(System.nanoTime() - SECOND);
  private static final AtomicLong TOLD = new AtomicLong();

  private Complaints() {}

  static void tell(Kring kring, String what) {
    long now = System.nanoTime();
    long start = START.get();
    if (now - start >= SECOND && START.compareAndSet(start, now)) {
      TOLD.set(0);
    }
    if (TOLD.getAndIncrement() < PER_SECOND) {
      LOG.log(System.Logger.Level.WARNING, kring + ": " + what);
    }
  }
}
