// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.ERROR;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;

/**
 * A thread that moves frames out of the sources it owns. Polls the lanes that were active a moment
 * ago, watches the others by epoll, and sleeps there when all of them rest. Between two rounds it
 * holds nothing in its hands: that is the quiescent point at which {@link Bridge} changes its plan.
 */
final class Worker implements Runnable {
  private static final System.Logger LOG = System.getLogger(Worker.class.getName());
  private static final int EVENTS = 128;
  private static final long WATCH_NANOS = 20_000;
  private static final long WAKE_TOKEN = -1;

  /** The lanes from now on, and whom to tell that the old ones were let go of. */
  private record Plan(
      List<Lane> lanes, Forwarding forwarding, CountDownLatch passed, CountDownLatch resume) {}

  private final Epoll epoll;
  private final Fd wake;
  private final long pollNanos;
  private final Burst burst = new Burst();
  private final Thread thread;
  private volatile @Nullable Plan next;
  private volatile boolean stopped;

  private Lane[] lanes = {};
  private Forwarding forwarding;
  private int resting;
  private int timed; // resting lanes that are to be polled by the clock
  private long lastWatch;

  Worker(String name, long pollNanos, Forwarding none) throws ErrnoException {
    this.pollNanos = pollNanos;
    forwarding = none;
    epoll = new Epoll(EVENTS);
    try {
      wake = EventFd.create();
      epoll.add(wake.value(), Epoll.IN, WAKE_TOKEN);
    } catch (ErrnoException failed) {
      epoll.close();
      throw failed;
    }
    thread = new Thread(this, name);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /**
   * Control thread: gives the worker a new plan. {@code passed} counts down when the old one is
   * history; the worker goes on when {@code resume} is at zero.
   */
  void adopt(
      List<Lane> newLanes, Forwarding newForwarding, CountDownLatch passed, CountDownLatch resume) {
    next = new Plan(newLanes, newForwarding, passed, resume);
    EventFd.signal(wake.value());
  }

  /** Control thread: ends the thread and waits for its end. */
  void stop() {
    stopped = true;
    EventFd.signal(wake.value());
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException ignored) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    wake.close();
    epoll.close();
  }

  @Override
  public void run() {
    while (!stopped) {
      try {
        round();
      } catch (InternalError late) {
        // HotSpot may report a vanished page as late as at the next safepoint, outside any visit.
        forwarding.blame();
      } catch (RuntimeException mistake) {
        // The control thread waits for this one at the next plan: it must not end.
        LOG.log(ERROR, "a mistake of this program, outside any source", mistake);
      }
    }
    changePlan();
  }

  private void round() {
    changePlan();
    long now = System.nanoTime();
    for (Lane lane : lanes) {
      if (!lane.resting) {
        visit(lane, now);
      }
    }
    if (resting == lanes.length) {
      sleep(now);
    } else if (resting > 0 && now - lastWatch > WATCH_NANOS) {
      lastWatch = now;
      wakeReady(epoll.await(0));
      wakeTimed(now);
    }
  }

  private void visit(Lane lane, long now) {
    try {
      if (move(lane, now)) {
        lane.lastMoved = now;
      } else if (now - lane.lastMoved > pollNanos) {
        rest(lane, now);
      }
      lane.strikes = 0;
    } catch (InternalError vanished) {
      strike(lane, vanished);
    } catch (RuntimeException mistake) {
      retire(lane, mistake);
    }
  }

  /** One round: peek a burst, offer it, consume what was settled. */
  private boolean move(Lane lane, long now) {
    burst.clear();
    lane.source.peek(burst);
    if (burst.count == 0) {
      return false;
    }
    try {
      int settled = forwarding.forward(lane, burst, now);
      if (settled > 0) {
        lane.source.count(burst, settled);
        lane.source.advance(burst, settled);
      }
    } finally {
      forwarding.flush(); // also when this source failed: the sinks' guests wait for their calls
    }
    return true;
  }

  private void rest(Lane lane, long now) {
    long nanos = lane.source.rest();
    if (nanos == 0) {
      lane.lastMoved = now;
      return;
    }
    lane.resting = true;
    resting++;
    if (nanos != Source.UNTIL_READY) {
      lane.wakeAt = now + nanos;
      timed++;
    }
  }

  private void wake(Lane lane) {
    if (!lane.resting || lane.retired) {
      return;
    }
    lane.resting = false;
    resting--;
    if (lane.wakeAt != Long.MAX_VALUE) {
      lane.wakeAt = Long.MAX_VALUE;
      timed--;
    }
    try {
      lane.source.wake();
    } catch (InternalError vanished) {
      strike(lane, vanished);
    }
  }

  /**
   * A page vanished outside an offer. Whoever took it away is let go of; if it came back, the lane
   * may go on.
   */
  private void strike(Lane lane, InternalError vanished) {
    if (forwarding.blame() || ++lane.strikes < Forwarding.STRIKES) {
      return;
    }
    lane.strikes = 0;
    // Outside an offer a source touches only memory of its own port.
    if (!forwarding.abandon(lane.port)) {
      retire(lane, vanished);
    }
  }

  private void sleep(long now) {
    int ready;
    if (timed == 0) {
      ready = epoll.await(-1);
    } else {
      long earliest = Long.MAX_VALUE;
      for (Lane lane : lanes) {
        earliest = Math.min(earliest, lane.wakeAt);
      }
      ready = epoll.awaitMicros(Math.max(0, earliest - now) / 1000 + 1);
      wakeTimed(System.nanoTime());
    }
    wakeReady(ready);
  }

  private void wakeReady(int ready) {
    for (int i = 0; i < ready; i++) {
      long token = epoll.token(i);
      if (token == WAKE_TOKEN) {
        EventFd.drain(wake.value());
      } else if (token < lanes.length) {
        wake(lanes[(int) token]);
      }
    }
  }

  private void wakeTimed(long now) {
    if (timed > 0) {
      for (Lane lane : lanes) {
        if (lane.wakeAt <= now) {
          wake(lane);
        }
      }
    }
  }

  /** A mistake of ours, or a page that nobody owns: this lane ends, the others go on. */
  private void retire(Lane lane, Throwable why) {
    LOG.log(ERROR, "a source of port " + forwarding.portName(lane.port) + " is out of use", why);
    lane.retired = true;
    if (!lane.resting) {
      lane.resting = true;
      resting++;
    }
  }

  /** Takes over the next plan, if there is one. Until passed, it may be done again from the top. */
  private void changePlan() {
    Plan plan = next;
    if (plan == null) {
      return;
    }
    for (Lane lane : lanes) {
      if (lane.source.readyFd() >= 0) {
        epoll.remove(lane.source.readyFd());
      }
    }
    lanes = plan.lanes.toArray(new Lane[0]);
    forwarding = plan.forwarding;
    resting = 0;
    timed = 0;
    for (int i = 0; i < lanes.length; i++) {
      Lane lane = lanes[i];
      resting += lane.resting ? 1 : 0;
      timed += lane.wakeAt != Long.MAX_VALUE ? 1 : 0;
      watch(lane, i);
    }
    next = null; // the control thread makes no other before all have passed
    plan.passed.countDown();
    Latches.await(plan.resume, "the control thread");
  }

  private void watch(Lane lane, int token) {
    if (lane.source.readyFd() < 0) {
      return;
    }
    try {
      epoll.add(lane.source.readyFd(), Epoll.IN | Epoll.EDGE, token);
    } catch (ErrnoException refused) {
      retire(lane, refused);
    }
  }
}
