// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.function.LongSupplier;
import org.vhostnetmap.linux.Memory;

/**
 * Sorts out frames for single stations other than the host. What the host's address is may change
 * under way, so it is asked for again, now and then, before a frame is left out. Thread-safe.
 */
final class Addressee {
  private static final long PATIENCE_NANOS = 100_000_000;
  private static final long GROUP = 1L << 40;

  private final LongSupplier look;
  private volatile long mac;
  private volatile long lookedAt;

  /** {@code look} tells the address, or 0: nobody sorts. */
  Addressee(LongSupplier look) {
    this.look = look;
    lookAgain();
  }

  /** Asks anew. */
  void lookAgain() {
    lookedAt = System.nanoTime();
    mac = look.getAsLong();
  }

  /** Whether the frame, of 8 bytes or more, is for the host or for a group. */
  boolean takes(long frame) {
    long destination = Long.reverseBytes(Memory.getLong(frame)) >>> 16;
    if (isFor(destination)) {
      return true;
    }
    if (System.nanoTime() - lookedAt < PATIENCE_NANOS) {
      return false;
    }
    lookAgain();
    return isFor(destination);
  }

  private boolean isFor(long destination) {
    long wanted = mac;
    return wanted == 0 || destination == wanted || (destination & GROUP) != 0;
  }
}
