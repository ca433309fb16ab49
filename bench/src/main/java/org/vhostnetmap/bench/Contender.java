// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * One side of a comparison: processes that stay up and run in their windows only. Whoever makes one
 * stops it first.
 *
 * @param <W> what a window tells
 */
interface Contender<W> {
  /** All its processes go on. */
  void go() throws IOException;

  /** All its processes are stopped. */
  void stop() throws IOException;

  /** Measures for so long; the processes run. */
  W measure(long millis) throws IOException;

  /** Windows of two sides, taken in turns: the same places are neighbours in time. */
  record Turns<W>(List<W> ours, List<W> peers) {
    double median(List<W> side, ToDoubleFunction<W> value) {
      return Quartiles.median(side.stream().mapToDouble(value).toArray());
    }

    /** Of each pair of neighbours, ours to the peer's. */
    Quartiles ratio(ToDoubleFunction<W> value) {
      return Quartiles.of(
          IntStream.range(0, ours.size())
              .mapToDouble(
                  i -> value.applyAsDouble(ours.get(i)) / value.applyAsDouble(peers.get(i)))
              .toArray());
    }
  }

  /** How long windows are. */
  record Timing(long settleMillis, long windowMillis) {}

  /**
   * Takes pairs of windows; who comes first changes, so that a drift of the machine favours nobody.
   */
  static <W> Turns<W> takeTurns(Contender<W> ours, Contender<W> peer, int pairs, Timing timing)
      throws IOException {
    Turns<W> turns = new Turns<>(new ArrayList<>(), new ArrayList<>());
    for (int i = 0; i < pairs; i++) {
      if (i % 2 == 0) {
        turns.ours.add(ours.window(timing));
      }
      turns.peers.add(peer.window(timing));
      if (i % 2 == 1) {
        turns.ours.add(ours.window(timing));
      }
    }
    return turns;
  }

  /** One window: goes, settles, measures, stops. */
  default W window(Timing timing) throws IOException {
    go();
    try {
      pause(timing.settleMillis);
      return measure(timing.windowMillis);
    } finally {
      stop();
    }
  }

  /** Waits. */
  static void pause(long millis) {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }
}
