// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Notifier;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * One ring while it runs; each start makes a new one. Lent to the data plane until {@link
 * DataPlane#run} is called with a list without it.
 */
public final class Vring {
  private static final int NO_FD = -1;

  private final int index;
  private final Virtqueue queue;
  private final @Nullable Notifier kick;
  private final BiConsumer<Vring, GuestFault> onFault;
  private final AtomicBoolean failed = new AtomicBoolean();
  private final AtomicLong calls = new AtomicLong();
  private final @Nullable Notifier call;
  private final Signals signals;
  private boolean callIsDead; // one thread at a time has the ring

  Vring(
      int index,
      Virtqueue queue,
      @Nullable Notifier kick,
      @Nullable Notifier call,
      Signals signals,
      BiConsumer<Vring, GuestFault> onFault) {
    this.index = index;
    this.queue = queue;
    this.kick = kick;
    this.call = call;
    this.signals = signals;
    this.onFault = onFault;
  }

  /** 2i is receiveq i (device to guest), 2i + 1 is transmitq i. */
  public int index() {
    return index;
  }

  /** Whether the guest takes frames from this ring. */
  public boolean isReceive() {
    return isReceive(index);
  }

  static boolean isReceive(int index) {
    return index % 2 == 0;
  }

  /**
   * The ring itself; one thread at a time, and the control thread only before and after the data
   * plane has it.
   */
  public Virtqueue queue() {
    return queue;
  }

  /**
   * Readable when the guest kicked, to be watched and no more, or -1: there are no kicks, the ring
   * is polled.
   */
  public int kickFd() {
    return kick == null ? NO_FD : kick.fd();
  }

  /** Takes pending kicks away. */
  public void drainKicks() {
    if (kick != null) {
      kick.drain();
    }
  }

  /** Whether the guest can be called at all. */
  public boolean canCall() {
    return call != null;
  }

  /** Calls the guest. Any thread that has the ring. False when there is no way to. */
  public boolean call() {
    if (call == null || callIsDead) {
      return false;
    }
    if (!signals.trySend(call, "call", index)) {
      callIsDead = true;
      return false;
    }
    calls.lazySet(calls.getPlain() + 1); // one thread at a time has the ring
    return true;
  }

  /** How often the guest was called. */
  public long calls() {
    return calls.get();
  }

  /** Stops this ring: the guest broke it. Any thread; only the first fault counts. */
  public void fail(GuestFault fault) {
    if (failed.compareAndSet(false, true)) {
      onFault.accept(this, fault);
    }
  }
}
