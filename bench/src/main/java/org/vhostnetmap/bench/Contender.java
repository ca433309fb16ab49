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
  /** Of the time of one processor: when others had more, a pair of windows is taken again. */
  double DISTURBED = 0.25;

  /** All its processes go on. */
  void go() throws IOException;

  /** All its processes are stopped. */
  void stop() throws IOException;

  /** Its processes; none where nobody judges what other programs had of the processors. */
  default List<Child> children() {
    return List.of();
  }

  /** Measures for so long; the processes run. */
  W measure(long millis) throws IOException;

  /**
   * Windows of two sides, taken in turns: the same places are neighbours in time.
   *
   * @param retaken pairs that were taken again because other programs had too much of a processor
   * @param disturbed pairs that were kept all the same, because the next ones were no better
   */
  record Turns<W>(List<W> ours, List<W> peers, int retaken, int disturbed) {
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
    List<W> mine = new ArrayList<>();
    List<W> theirs = new ArrayList<>();
    int retaken = 0;
    int disturbed = 0;
    while (mine.size() < pairs) {
      boolean weBegin = mine.size() % 2 == 0;
      Contender<W> first = weBegin ? ours : peer;
      Processors processors = new Processors(first.children());
      W one = first.window(timing);
      double others = processors.othersShare();
      Contender<W> second = weBegin ? peer : ours;
      processors = new Processors(second.children());
      W other = second.window(timing);
      boolean bad = Math.max(others, processors.othersShare()) > DISTURBED;
      if (bad && retaken < pairs) {
        retaken++;
      } else {
        disturbed += bad ? 1 : 0;
        mine.add(weBegin ? one : other);
        theirs.add(weBegin ? other : one);
      }
    }
    return new Turns<>(mine, theirs, retaken, disturbed);
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
