// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;

/**
 * A worker's lanes: those that are polled, and those that rest, which epoll and the clock watch. A
 * round costs what the polled ones cost, however many rest. Belongs to the worker's thread, but for
 * {@link #interrupt}.
 */
final class Lanes implements AutoCloseable {
  private static final int EVENTS = 128;
  private static final Lane[] NONE = {};

  /** How often a worker that has something to do looks after sources that rest. */
  private static final long WATCH_NANOS = 20_000;

  /** The same when that brought nothing for a while: a look is a system call. */
  private static final long CALM_WATCH_NANOS = 60_000;

  private static final long CALM_AFTER_NANOS = 1_000_000;

  /** The same for sources that hardly ever have anything. */
  private static final long RARE_WATCH_NANOS = 1_000_000;

  private static final long WAKE_TOKEN = -1;

  /** Who is told of a lane in trouble. */
  interface Trouble {
    /** A page vanished while the lane was woken. */
    void vanished(Lane lane, InternalError error);

    /** The lane can't be watched. */
    void refused(Lane lane, ErrnoException error);
  }

  private final Epoll epoll = new Epoll(EVENTS);
  private final Fd wake;
  private final Trouble trouble;
  private Lane[] all = NONE;
  private Lane[] awake = NONE;
  private int awakeCount;
  private int timed; // resting lanes that are to be polled by the clock
  private int restingBusy; // resting lanes that may have news soon
  private long watchNanos = WATCH_NANOS;
  private long lastWatch;
  private long lastNews;

  Lanes(Trouble trouble) throws ErrnoException {
    this.trouble = trouble;
    try {
      wake = EventFd.create();
      epoll.add(wake.value(), Epoll.IN, WAKE_TOKEN);
    } catch (ErrnoException failed) {
      epoll.close();
      throw failed;
    }
  }

  /** Any thread: ends a sleep. */
  void interrupt() {
    EventFd.signal(wake.value());
  }

  /** All lanes. */
  Lane[] all() {
    return all;
  }

  /** How many are polled. */
  int awake() {
    return awakeCount;
  }

  /** One of those that are polled, 0 to {@link #awake} - 1. */
  Lane awake(int i) {
    return awake[i];
  }

  /** The polled lane {@code i} is none any more; the last one takes its place. */
  void removeAwake(int i) {
    awake[i] = awake[--awakeCount];
  }

  /** Forgets all lanes. */
  void letGo() {
    for (Lane lane : all) {
      if (lane.source.readyFd() >= 0) {
        epoll.remove(lane.source.readyFd());
      }
    }
    all = NONE;
    awakeCount = 0;
  }

  /** Lanes that are new, stayed, or come from another worker, which let go of them by now. */
  void take(Lane[] fresh) {
    all = fresh;
    awake = new Lane[fresh.length];
    awakeCount = 0;
    restingBusy = 0;
    timed = 0;
    for (int i = 0; i < fresh.length; i++) {
      Lane lane = fresh[i];
      if (!lane.resting) {
        awake[awakeCount++] = lane;
      } else if (lane.busy && !lane.retired) {
        restingBusy++;
      }
      timed += lane.wakeAt != Long.MAX_VALUE ? 1 : 0;
      watch(lane, i);
    }
  }

  private void watch(Lane lane, int token) {
    if (lane.source.readyFd() < 0) {
      return;
    }
    try {
      epoll.add(lane.source.readyFd(), Epoll.IN | Epoll.EDGE, token);
    } catch (ErrnoException refused) {
      trouble.refused(lane, refused);
    }
  }

  /** Lets a lane rest, if its source agrees. */
  void rest(Lane lane, long now) {
    long nanos = lane.source.rest();
    if (nanos == 0) {
      return; // there is something after all
    }
    lane.resting = true;
    if (lane.busy) {
      restingBusy++;
      watchNanos = WATCH_NANOS;
    }
    if (nanos != Source.UNTIL_READY) {
      lane.wakeAt = now + nanos;
      timed++;
    }
  }

  /** Whether the lane slept, and is polled from now on. */
  private boolean wake(Lane lane) {
    if (!lane.resting || lane.retired) {
      return false;
    }
    lane.resting = false;
    awake[awakeCount++] = lane;
    restingBusy -= lane.busy ? 1 : 0;
    if (lane.wakeAt != Long.MAX_VALUE) {
      lane.wakeAt = Long.MAX_VALUE;
      timed--;
    }
    try {
      lane.source.wake();
    } catch (InternalError vanished) {
      trouble.vanished(lane, vanished);
    }
    return true;
  }

  /** The lane rests for ever. */
  void retire(Lane lane) {
    lane.retired = true;
    if (lane.resting) {
      restingBusy -= lane.busy ? 1 : 0; // it has no news any more
    }
    if (lane.wakeAt != Long.MAX_VALUE) {
      lane.wakeAt = Long.MAX_VALUE;
      timed--;
    }
    lane.resting = true;
  }

  /** Sources that rest have news too, while others keep the worker busy; not at each call. */
  void watchResting(long now) {
    if (now - lastWatch <= watchNanos || awakeCount == all.length) {
      return;
    }
    lastWatch = now;
    if (wakeReady(epoll.await(0)) + wakeTimed(now) > 0) {
      lastNews = now;
    }
    if (restingBusy == 0) {
      watchNanos = RARE_WATCH_NANOS;
    } else {
      watchNanos = now - lastNews > CALM_AFTER_NANOS ? CALM_WATCH_NANOS : WATCH_NANOS;
    }
  }

  /** Until a source has news, at the latest until {@code end} of {@code System.nanoTime}. */
  void sleep(long now, long end) {
    int ready;
    if (timed == 0 && end == Long.MAX_VALUE) {
      ready = epoll.await(-1);
    } else {
      long earliest = end;
      for (int i = 0; timed > 0 && i < all.length; i++) {
        earliest = Math.min(earliest, all[i].wakeAt);
      }
      ready = epoll.awaitMicros(Math.max(0, earliest - now) / 1000 + 1);
      wakeTimed(System.nanoTime());
    }
    wakeReady(ready);
  }

  /** How many lanes it woke. */
  private int wakeReady(int ready) {
    int woken = 0;
    for (int i = 0; i < ready; i++) {
      long token = epoll.token(i);
      if (token == WAKE_TOKEN) {
        EventFd.drain(wake.value());
      } else if (token < all.length) {
        woken += wake(all[(int) token]) ? 1 : 0;
      }
    }
    return woken;
  }

  /** How many lanes it woke. */
  private int wakeTimed(long now) {
    int woken = 0;
    if (timed > 0) {
      for (Lane lane : all) {
        woken += lane.wakeAt <= now && wake(lane) ? 1 : 0;
      }
    }
    return woken;
  }

  @Override
  public void close() {
    wake.close();
    epoll.close();
  }
}
