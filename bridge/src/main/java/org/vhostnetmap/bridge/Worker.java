// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.ERROR;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Affinity;
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
  private static final Lane[] NO_LANES = {};

  /** How often a worker that has something to do looks after sources that rest. */
  private static final long WATCH_NANOS = 20_000;

  /** The same when that brought nothing for a while: a look is a system call. */
  private static final long CALM_WATCH_NANOS = 60_000;

  private static final long CALM_AFTER_NANOS = 1_000_000;

  /** The same for sources that hardly ever have anything. */
  private static final long RARE_WATCH_NANOS = 1_000_000;

  /** Bursts after which guests are called although the round goes on. */
  private static final int BURSTS_PER_FLUSH = 8;

  /** No processor of its own. */
  static final int ANY_CPU = -1;

  private static final long WAKE_TOKEN = -1;

  /** The lanes from now on, and whom to tell that the old ones were let go of. */
  private record Plan(
      List<Lane> lanes, Forwarding forwarding, CountDownLatch passed, CountDownLatch resume) {}

  private final Epoll epoll;
  private final Fd wake;
  private final int cpu;
  private final long pollNanos;
  private final Burst burst = new Burst();
  private final Thread thread;
  private volatile @Nullable Plan next;
  private volatile boolean stopped;

  private Lane[] lanes = NO_LANES;
  private Lane[] awake = {}; // those that are polled, so that a round costs what they cost
  private int awakeCount;
  private Forwarding forwarding;
  private Lane[] unflushed = {}; // whose guests may want to be called
  private int unflushedCount;
  private int burstsToFlush;
  private long flushAt = Sink.NOTHING_HELD; // when a call that was held back is due
  private int timed; // resting lanes that are to be polled by the clock
  private int restingBusy; // resting lanes that may have news soon
  private long watchNanos = WATCH_NANOS;
  private long lastWatch;
  private long lastNews;

  // Written by the worker alone; read while it stands at its quiescent point.
  private long polls;
  private long emptyPolls;
  private long sleeps;
  private long busyNanos;

  private long roundBegan;
  private boolean roundMoved;

  /**
   * A worker without lanes.
   *
   * @param cpu the processor it is bound to, {@link #ANY_CPU} for none
   * @param pollNanos the longest pause between frames that it polls through
   */
  Worker(String name, int cpu, long pollNanos, Forwarding none) throws ErrnoException {
    this.cpu = cpu;
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

  /** What the worker did; while it stands at its quiescent point. */
  WorkerStatus status() {
    int sources = 0;
    for (Lane lane : lanes) {
      sources += lane.busy ? 1 : 0;
    }
    return new WorkerStatus(thread.getName(), cpu, sources, polls, emptyPolls, sleeps, busyNanos);
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
    bind();
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

  private void bind() {
    if (cpu == ANY_CPU) {
      return;
    }
    try {
      Affinity.bind(cpu);
    } catch (ErrnoException refused) { // it was there when the bridge started
      LOG.log(ERROR, thread.getName() + " is not bound to CPU " + cpu, refused);
    }
  }

  private void round() {
    changePlan();
    long now = System.nanoTime();
    if (roundMoved) {
      busyNanos += now - roundBegan;
      roundMoved = false;
    }
    roundBegan = now;
    int i = 0;
    while (i < awakeCount) {
      Lane lane = awake[i];
      if (!lane.resting && now - lane.retryAt >= 0) { // else it was retired, or waits for room
        visit(lane, now);
      }
      if (lane.resting) {
        awake[i] = awake[--awakeCount];
      } else {
        i++;
      }
    }
    if (burstsToFlush > 0 || now >= flushAt) {
      flush();
    }
    if (awakeCount == 0) {
      sleep(now);
    } else if (now - lastWatch > watchNanos && awakeCount < lanes.length) {
      watchResting(now);
    }
  }

  /** Sources that rest have news too, while others keep the worker busy. */
  private void watchResting(long now) {
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

  private void visit(Lane lane, long now) {
    try {
      polls++;
      if (move(lane, now)) {
        lane.polling.frames(now, pollNanos);
      } else {
        emptyPolls++;
        if (lane.polling.isOver(now)) {
          rest(lane, now);
        }
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
      Policer policer = lane.policer;
      if (policer != null) {
        policer.judge(burst, now);
      }
      int settled = forwarding.forward(lane, burst, now);
      if (settled > 0) {
        roundMoved = true;
        if (policer != null) {
          policer.settled(settled);
        }
        lane.source.count(burst, settled);
        lane.source.advance(burst, settled);
      }
    } finally {
      // Also when this source failed: the sinks' guests wait for their calls.
      if (!lane.unflushed) {
        lane.unflushed = true;
        unflushed[unflushedCount++] = lane;
      }
      if (++burstsToFlush >= BURSTS_PER_FLUSH) {
        flush();
      }
    }
    return true;
  }

  /**
   * Notifies everybody of what was done since the last time: once for a round of several sources,
   * so that rings which share an interrupt, or a sink which all of them fill, make one of it. The
   * receivers first, they wait for it.
   */
  private void flush() {
    flushAt = forwarding.flush();
    int kept = 0;
    for (int i = 0; i < unflushedCount; i++) {
      Lane lane = unflushed[i];
      long again = lane.source.tryCall();
      lane.unflushed = again != Sink.NOTHING_HELD;
      if (lane.unflushed) {
        unflushed[kept++] = lane;
        flushAt = Math.min(flushAt, again);
      }
    }
    unflushedCount = kept;
    burstsToFlush = 0; // not before all is done: what fails is done again
  }

  private void rest(Lane lane, long now) {
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
      strike(lane, vanished);
    }
    return true;
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
    sleeps++;
    if (timed == 0 && flushAt == Sink.NOTHING_HELD) {
      ready = epoll.await(-1);
    } else {
      long earliest = flushAt;
      for (int i = 0; timed > 0 && i < lanes.length; i++) {
        earliest = Math.min(earliest, lanes[i].wakeAt);
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
      } else if (token < lanes.length) {
        woken += wake(lanes[(int) token]) ? 1 : 0;
      }
    }
    return woken;
  }

  /** How many lanes it woke. */
  private int wakeTimed(long now) {
    int woken = 0;
    if (timed > 0) {
      for (Lane lane : lanes) {
        woken += lane.wakeAt <= now && wake(lane) ? 1 : 0;
      }
    }
    return woken;
  }

  /** A mistake of ours, or a page that nobody owns: this lane ends, the others go on. */
  private void retire(Lane lane, Throwable why) {
    LOG.log(ERROR, "a source of port " + forwarding.portName(lane.port) + " is out of use", why);
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

  /** Takes over the next plan, if there is one. Until passed, it may be done again from the top. */
  private void changePlan() {
    Plan plan = next;
    if (plan == null) {
      return;
    }
    Lane[] fresh = plan.lanes.toArray(new Lane[0]);
    boolean same = Arrays.equals(lanes, fresh);
    if (!same) {
      letGo();
    }
    forwarding = plan.forwarding;
    next = null; // the control thread makes no other before all have passed
    plan.passed.countDown();
    Latches.await(plan.resume, "the control thread");
    if (!same) {
      take(fresh);
    }
  }

  private void letGo() {
    for (Lane lane : lanes) {
      if (lane.source.readyFd() >= 0) {
        epoll.remove(lane.source.readyFd());
      }
    }
    lanes = NO_LANES;
    awakeCount = 0;
    unflushedCount = 0;
  }

  /** Lanes that are new, stayed, or come from another worker, which let go of them by now. */
  private void take(Lane[] fresh) {
    lanes = fresh;
    awake = new Lane[fresh.length];
    awakeCount = 0;
    unflushed = new Lane[fresh.length];
    unflushedCount = 0;
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
      if (lane.unflushed) {
        unflushed[unflushedCount++] = lane;
        flushAt = Math.min(flushAt, System.nanoTime());
      }
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
      retire(lane, refused);
    }
  }
}
