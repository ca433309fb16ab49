// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.ERROR;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Affinity;
import org.vhostnetmap.linux.ErrnoException;

/**
 * A thread that moves frames out of the sources it owns, as long as its {@link Lanes} say which,
 * and makes its {@link Calls} at the end of each round. Between two rounds it holds nothing in its
 * hands: that is the quiescent point at which {@link Bridge} changes its plan.
 */
final class Worker implements Runnable {
  private static final System.Logger LOG = System.getLogger(Worker.class.getName());

  /** No processor of its own. */
  static final int ANY_CPU = -1;

  /** The lanes from now on, and whom to tell that the old ones were let go of. */
  private record Plan(
      List<Lane> lanes, Forwarding forwarding, CountDownLatch passed, CountDownLatch resume) {}

  private final int cpu;
  private final long pollNanos;
  private final Burst burst = new Burst();
  private final Thread thread;
  private volatile @Nullable Plan next;
  private volatile boolean stopped;
  private final Lanes lanes;
  private final Calls calls;
  private Forwarding forwarding;

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
    calls = new Calls(none);
    lanes = new Lanes(new Trouble());
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
    lanes.interrupt();
  }

  /** What the worker did; while it stands at its quiescent point. */
  WorkerStatus status() {
    int sources = 0;
    for (Lane lane : lanes.all()) {
      sources += lane.busy ? 1 : 0;
    }
    return new WorkerStatus(thread.getName(), cpu, sources, polls, emptyPolls, sleeps, busyNanos);
  }

  /** Control thread: ends the thread and waits for its end. */
  void stop() {
    stopped = true;
    lanes.interrupt();
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
    lanes.close();
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
    while (i < lanes.awake()) {
      Lane lane = lanes.awake(i);
      if (!lane.resting && now - lane.retryAt >= 0) { // else it was retired, or waits for room
        visit(lane, now);
      }
      if (lane.resting) {
        lanes.removeAwake(i);
      } else {
        i++;
      }
    }
    if (calls.isDue(now)) {
      calls.flush();
    }
    if (lanes.awake() == 0) {
      sleeps++;
      lanes.sleep(now, calls.heldUntil());
    } else {
      lanes.watchResting(now);
      if (!roundMoved) {
        Thread.onSpinWait(); // whoever shares the core, perhaps the guest itself, is to go on
      }
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
          lanes.rest(lane, now);
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
      calls.burst(lane);
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
    // Outside an offer a source touches only memory of its own port; calls see to themselves.
    if (!forwarding.abandon(lane.port)) {
      retire(lane, vanished);
    }
  }

  /** A mistake of ours, or a page that nobody owns: this lane ends, the others go on. */
  private void retire(Lane lane, Throwable why) {
    LOG.log(ERROR, "a source of port " + forwarding.portName(lane.port) + " is out of use", why);
    lanes.retire(lane);
  }

  /** Takes over the next plan, if there is one. Until passed, it may be done again from the top. */
  private void changePlan() {
    Plan plan = next;
    if (plan == null) {
      return;
    }
    Lane[] fresh = plan.lanes.toArray(new Lane[0]);
    boolean same = Arrays.equals(lanes.all(), fresh);
    if (!same) {
      lanes.letGo();
    }
    forwarding = plan.forwarding;
    calls.use(forwarding);
    next = null; // the control thread makes no other before all have passed
    plan.passed.countDown();
    Latches.await(plan.resume, "the control thread");
    if (!same) {
      lanes.take(fresh);
      calls.use(fresh);
    }
  }

  private final class Trouble implements Lanes.Trouble {
    @Override
    public void vanished(Lane lane, InternalError error) {
      strike(lane, error);
    }

    @Override
    public void refused(Lane lane, ErrnoException error) {
      retire(lane, error);
    }
  }
}
