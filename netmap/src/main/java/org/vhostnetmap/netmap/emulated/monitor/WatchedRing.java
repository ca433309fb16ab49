// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.emulated.Kring;

/// What stands in a monitored kring's place for its sync: the real one, with a look before and
/// after it.
///
/// ```
///   TX  [hwcur, rhead)      copied, then sent       hwtail's way: sent and free: swapped out
///   RX  [hwcur, rhead)      read and released: swapped out, then given back
///       [tail before, hwtail)  just came: copied
/// ```
///
/// All under the kring's monitor.
final class WatchedRing implements Kring.Sync {
  private static final MonitorRing[] NONE = new MonitorRing[0];

  private final Kring kring;
  private final Kring.Sync original;

  /** Copy monitors. */
  private MonitorRing[] copies = NONE;

  /** The first zero-copy monitor; the next one watches that one's ring. */
  private @Nullable MonitorRing zeroCopy;

  /**
   * Slots before this one were seen by the copy monitors: of an RX ring what has come, of a TX ring
   * what was to be sent, though a busy device may have left it there.
   */
  private int seen;

  private WatchedRing(Kring kring) {
    this.kring = kring;
    original = kring.sync;
    seen = kring.tx ? kring.hwcur : kring.hwtail;
  }

  /** The watch over a kring, set up if there is none. The monitor is held. */
  private static WatchedRing of(Kring kring) {
    if (kring.sync instanceof WatchedRing watch) {
      return watch;
    }
    WatchedRing watch = new WatchedRing(kring);
    kring.sync = watch;
    return watch;
  }

  /** Lets a copy monitor see a kring. */
  static void addCopy(Kring kring, MonitorRing monitor) {
    synchronized (kring) {
      WatchedRing watch = of(kring);
      if (watch.copies.length == 0) {
        watch.seen = kring.tx ? kring.hwcur : kring.hwtail;
      }
      MonitorRing[] more = Arrays.copyOf(watch.copies, watch.copies.length + 1);
      more[watch.copies.length] = monitor;
      watch.copies = more;
      kring.tellAlso(monitor.kring(), true);
    }
  }

  /** Lets a zero-copy monitor see a kring, after all that see it already. */
  static void addZeroCopy(Kring kring, MonitorRing monitor) {
    Kring last = kring;
    while (true) {
      synchronized (last) {
        WatchedRing watch = of(last);
        if (watch.zeroCopy == null) {
          watch.zeroCopy = monitor;
          return;
        }
        if (monitor.equals(watch.zeroCopy)) {
          return;
        }
        last = watch.zeroCopy.kring();
      }
    }
  }

  /** Takes a monitor, of either kind, away from a kring. */
  static void remove(Kring kring, MonitorRing monitor) {
    @Nullable MonitorRing after = nextOf(monitor);
    for (Kring at = kring; at != null; ) {
      synchronized (at) {
        if (!(at.sync instanceof WatchedRing watch)) {
          return;
        }
        Kring next = watch.zeroCopy == null ? null : watch.zeroCopy.kring();
        watch.forget(monitor, after);
        at = next;
      }
    }
  }

  /** The zero-copy monitor that is fed by this one. */
  private static @Nullable MonitorRing nextOf(MonitorRing monitor) {
    Kring kring = monitor.kring();
    synchronized (kring) {
      return kring.sync instanceof WatchedRing watch ? watch.zeroCopy : null;
    }
  }

  private void forget(MonitorRing monitor, @Nullable MonitorRing after) {
    if (monitor.equals(zeroCopy)) {
      zeroCopy = after;
    }
    copies =
        Arrays.stream(copies).filter(each -> !each.equals(monitor)).toArray(MonitorRing[]::new);
    kring.tellAlso(monitor.kring(), false);
    if (copies.length == 0 && zeroCopy == null) {
      kring.sync = original;
    }
  }

  @Override
  public void sync(Kring same) {
    if (kring.tx) {
      send();
    } else {
      receive();
    }
  }

  private void send() {
    int waiting = kring.distance(kring.hwcur, kring.rhead);
    int first = kring.distance(kring.hwcur, seen) <= waiting ? seen : kring.hwcur;
    int fresh = kring.distance(first, kring.rhead);
    if (fresh > 0) {
      for (MonitorRing monitor : copies) {
        monitor.copy(kring, first, fresh);
      }
    }
    seen = kring.rhead;
    int before = kring.hwtail;
    original.sync(kring);
    int free = kring.distance(before, kring.hwtail);
    if (zeroCopy != null && free > 0) {
      zeroCopy.swap(kring, kring.next(before), free);
    }
  }

  private void receive() {
    int released = kring.distance(kring.hwcur, kring.rhead);
    if (zeroCopy != null && released > 0) {
      zeroCopy.swap(kring, kring.hwcur, released);
    }
    original.sync(kring);
    int fresh = kring.distance(seen, kring.hwtail);
    if (fresh > 0) {
      for (MonitorRing monitor : copies) {
        monitor.copy(kring, seen, fresh);
      }
      seen = kring.hwtail;
    }
  }
}
