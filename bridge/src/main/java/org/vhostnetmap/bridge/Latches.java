// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.WARNING;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waiting for another thread where giving up would mean to unmap what it may still touch. */
final class Latches {
  private static final System.Logger LOG = System.getLogger(Latches.class.getName());
  private static final long PATIENCE_SECONDS = 5;

  private Latches() {}

  /**
   * Waits until the latch is at zero, through interrupts, and logs when that takes suspiciously
   * long.
   */
  static void await(CountDownLatch latch, String who) {
    boolean interrupted = false;
    boolean done = false;
    while (!done) {
      try {
        done = latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (!done) {
          LOG.log(WARNING, "still waiting for {0} after {1} s", who, PATIENCE_SECONDS);
        }
      } catch (InterruptedException ignored) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
