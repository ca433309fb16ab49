// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;

/**
 * Whom a worker has to notify: the sinks that it filled, the guests whose frames it took. Once for
 * a round of several sources, so that rings which share an interrupt, or a sink which all of them
 * fill, make one of it. Belongs to the worker's thread.
 */
final class Calls {
  /** Bursts after which guests are called although the round goes on. */
  private static final int BURSTS_PER_FLUSH = 8;

  private Forwarding forwarding;
  private Lane[] lanes = {}; // whose guests may want to be called
  private int count;
  private int bursts;
  private long heldUntil = Sink.NOTHING_HELD;

  Calls(Forwarding forwarding) {
    this.forwarding = forwarding;
  }

  /** From now on for these lanes; a call that is held back for one of them goes on being held. */
  void use(Lane[] all) {
    lanes = new Lane[all.length];
    count = 0;
    for (Lane lane : all) {
      if (lane.unflushed) {
        lanes[count++] = lane;
        heldUntil = Math.min(heldUntil, System.nanoTime()); // whoever held it: ask anew
      }
    }
  }

  /** From now on by way of this one. */
  void use(Forwarding other) {
    forwarding = other;
  }

  /** A burst of this lane was offered. */
  void burst(Lane lane) {
    if (!lane.unflushed) {
      lane.unflushed = true;
      lanes[count++] = lane;
    }
    if (++bursts >= BURSTS_PER_FLUSH) {
      flush();
    }
  }

  /** Whether there is anybody to notify now. */
  boolean isDue(long now) {
    return bursts > 0 || now >= heldUntil;
  }

  /** When a call that was held back is due, or {@link Sink#NOTHING_HELD}. */
  long heldUntil() {
    return heldUntil;
  }

  /** As {@link Forwarding#flush} does for sinks. */
  private long tryCall(Lane lane) {
    try {
      long again = lane.source.tryCall();
      lane.callStrikes = 0;
      return again;
    } catch (InternalError vanished) {
      if (!forwarding.blame() && ++lane.callStrikes >= Forwarding.STRIKES) {
        lane.callStrikes = 0;
        forwarding.abandon(lane.port);
      }
      return System.nanoTime();
    }
  }

  /** Notifies all; the receivers first, they wait for it. */
  void flush() {
    // What all of them published must be visible before any driver is asked whether it wants a
    // call.
    Memory.fullFence();
    long held = forwarding.flush();
    int kept = 0;
    int i = 0;
    try {
      for (; i < count; i++) {
        Lane lane = lanes[i];
        lane.unflushed = false;
        long again = tryCall(lane);
        if (again != Sink.NOTHING_HELD) {
          lane.unflushed = true;
          lanes[kept++] = lane;
          held = Math.min(held, again);
        }
      }
    } finally {
      for (i++; i < count; i++) { // one failed: the others have their turn the next time
        lanes[kept++] = lanes[i];
      }
      count = kept;
    }
    heldUntil = held;
    bursts = 0; // not before all is done
  }
}
