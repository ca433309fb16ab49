// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;

/**
 * Decides where the frames of a burst go and offers them there. Two ports are a plain wire and look
 * nothing up; more are a learning bridge. One object per thread that forwards.
 */
final class Forwarding {
  /**
   * How long frames wait in their source for room in the only sink (back-pressure), counted from
   * when that sink last took any. A sender slows down meanwhile; a guest that is stopped costs no
   * more than this once.
   */
  private static final long PATIENCE_NANOS = 10_000_000;

  /**
   * How long a full sink is left alone: asked again at once, a guest would be given room for a
   * frame or two each time, and both sides would do little but pass cache lines to and fro.
   */
  private static final long PAUSE_NANOS = 2_000;

  /** Faults in a row that nobody can be blamed for, before a front-end goes all the same. */
  static final int STRIKES = 1000;

  private static final long NANOS_PER_SECOND = 1_000_000_000;

  private final List<Port> ports;
  private final Sink[] sinks;
  private final MacTable table;
  private final long[] unicast; // frames for each port
  private final int[] targets; // ports with any
  private int targetCount;
  private final int[] strikes; // faults in a row of each sink that nobody could be blamed for
  private final int[] flushStrikes; // the same of its notifications
  private final int[] touched; // ports to flush
  private final boolean[] isTouched;
  private int touchedCount;
  private long floodCopies;

  Forwarding(List<Port> ports, MacTable table) {
    this.ports = ports;
    this.table = table;
    sinks = ports.stream().map(Port::entrance).toArray(Sink[]::new);
    unicast = new long[sinks.length];
    targets = new int[sinks.length];
    strikes = new int[sinks.length];
    flushStrikes = new int[sinks.length];
    touched = new int[sinks.length];
    isTouched = new boolean[sinks.length];
  }

  /** Copies made beyond the first of each flooded frame. */
  long floodCopies() {
    return floodCopies;
  }

  /**
   * Offers all valid frames of a burst.
   *
   * @param now {@code System.nanoTime}
   * @return how many frames from the first on are settled; the others stay in the source
   */
  int forward(Lane lane, Burst burst, long now) {
    if (sinks.length == 2) {
      return wire(lane, burst, now);
    }
    bridge(lane.port, burst, now / NANOS_PER_SECOND);
    return burst.count;
  }

  private int wire(Lane lane, Burst burst, long now) {
    int to = 1 - lane.port;
    burst.movable = -1;
    burst.valid |= lane.takenAhead & Burst.first(burst.count);
    long fresh = burst.valid & ~lane.takenAhead;
    long left = fresh == 0 ? 0 : offer(lane.port, to, burst, fresh);
    if (left == 0) {
      lane.fullSince = 0;
    } else if (lane.fullSince == 0 || burst.taken != 0 || burst.progressed) {
      lane.fullSince = now;
    }
    int settled = burst.count;
    if (left != 0 && now - lane.fullSince < PATIENCE_NANOS && lane.source.mayWait()) {
      settled = Long.numberOfTrailingZeros(left);
      lane.retryAt = now + PAUSE_NANOS;
    } else if (left != 0) {
      sinks[to].drop(sinks[to].fullReason(), burst, left);
      left = 0;
    }
    lane.takenAhead = (lane.takenAhead | (fresh & ~left)) >>> settled;
    return settled;
  }

  private void bridge(int from, Burst burst, long nowSeconds) {
    forgetTargets();
    long flood = sort(from, burst, nowSeconds);
    if (flood != 0) {
      for (int to = 0; to < sinks.length; to++) {
        if (to != from) {
          aim(to, flood);
        }
      }
    }
    for (int t = 0; t < targetCount; t++) {
      int to = targets[t];
      long frames = unicast[to];
      unicast[to] = 0;
      // Flooded frames are still to be read by the targets that follow.
      burst.movable = t == targetCount - 1 ? -1 : ~flood;
      long left = offer(from, to, burst, frames);
      if (left != 0) {
        sinks[to].drop(sinks[to].fullReason(), burst, left);
      }
    }
    targetCount = 0;
    floodCopies += (long) Long.bitCount(flood) * (sinks.length - 2);
  }

  /** A burst whose sorting ended early (a vanished page) leaves targets behind. */
  private void forgetTargets() {
    for (int t = 0; t < targetCount; t++) {
      unicast[targets[t]] = 0;
    }
    targetCount = 0;
  }

  private void aim(int to, long frames) {
    if (unicast[to] == 0) {
      targets[targetCount++] = to;
    }
    unicast[to] |= frames;
  }

  /**
   * Learns the sources, sorts unicast frames by port, and returns the frames for everybody else.
   */
  private long sort(int from, Burst burst, long nowSeconds) {
    long flood = 0;
    long lastSource = -1;
    long lastDestination = -1;
    int lastPort = -1;
    for (long left = burst.valid; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      long source = burst.source(i);
      if (source != lastSource) {
        table.learn(source, from, nowSeconds);
        lastSource = source;
      }
      long destination = burst.destination(i);
      if (destination != lastDestination) {
        lastDestination = destination;
        lastPort = MacTable.isGroup(destination) ? -1 : table.lookup(destination);
      }
      if (lastPort == from || sinks.length < 2) {
        burst.valid &= ~(1L << i);
        burst.refuse(i, sinks.length < 2 ? DropReason.NO_OTHER_PORT : DropReason.SAME_PORT);
      } else if (lastPort < 0) {
        flood |= 1L << i;
      } else {
        aim(lastPort, 1L << i);
      }
    }
    return flood;
  }

  /**
   * Offers frames to one sink. When a page of either side vanishes under the copy, the frames that
   * were left are settled as dropped, and whoever took the page away is let go of.
   */
  private long offer(int from, int to, Burst burst, long frames) {
    touch(to);
    burst.taken = 0;
    burst.progressed = false;
    try {
      long left = sinks[to].offer(burst, frames);
      strikes[to] = 0;
      return left;
    } catch (InternalError vanished) {
      if (!blame()) {
        strike(from, to, burst, frames);
      }
      sinks[to].drop(DropReason.MEMORY_VANISHED, burst, frames & ~burst.taken);
      return 0;
    }
  }

  /**
   * A page can't be had although no file shrank: it came back meanwhile, or the file system behind
   * it is full. Once is nothing; again and again without a success between, somebody has to go.
   */
  private void strike(int from, int to, Burst burst, long frames) {
    if (++strikes[to] >= STRIKES) {
      strikes[to] = 0;
      ports.get(burst.isReadable(frames) ? to : from).abandonMemory();
    }
  }

  /** Lets go of every front-end whose memory has vanished; false when there is none. */
  boolean blame() {
    boolean any = false;
    for (Port port : ports) {
      if (port.memoryVanished()) {
        port.abandonMemory();
        any = true;
      }
    }
    return any;
  }

  /** Lets go of the front-end of a port; false when it has none to let go of. */
  boolean abandon(int port) {
    return ports.get(port).abandonMemory();
  }

  /** The name of a port, for the log. */
  String portName(int port) {
    return ports.get(port).name();
  }

  private void touch(int to) {
    if (!isTouched[to]) {
      isTouched[to] = true;
      touched[touchedCount++] = to;
    }
  }

  /**
   * A notification reads a wish of the other side, whose page may vanish; or a page of somebody
   * else is reported here. Whoever took it away is let go of; else the sink is asked again at once,
   * and its own front-end goes when that fails again and again.
   */
  private long flush(int to) {
    try {
      long held = sinks[to].flush();
      flushStrikes[to] = 0;
      return held;
    } catch (InternalError vanished) {
      if (!blame() && ++flushStrikes[to] >= STRIKES) {
        flushStrikes[to] = 0;
        abandon(to);
      }
      return System.nanoTime();
    }
  }

  /**
   * Lets every sink that was offered frames notify its other side.
   *
   * @return when this has to be done again, because a notification was held back, or {@link
   *     Sink#NOTHING_HELD}
   */
  long flush() {
    long again = Sink.NOTHING_HELD;
    int kept = 0;
    int t = 0;
    try {
      for (; t < touchedCount; t++) {
        int to = touched[t];
        isTouched[to] = false;
        long held = flush(to);
        if (held != Sink.NOTHING_HELD) {
          isTouched[to] = true;
          touched[kept++] = to;
          again = Math.min(again, held);
        }
      }
    } finally {
      for (t++; t < touchedCount; t++) { // one failed: the others have their turn the next time
        touched[kept++] = touched[t];
      }
      touchedCount = kept;
    }
    return again;
  }
}
