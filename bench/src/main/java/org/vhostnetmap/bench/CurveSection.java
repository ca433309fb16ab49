// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a frame costs the back-end by the number of guests that it serves: on one bridge of ours
 * with one worker, and in one testpmd, whose pairs of ports know nothing of the others.
 */
final class CurveSection implements Section {
  private static final int[] GUESTS = {1, 2, 4, 8, 16, 32, 64};
  private static final int[] QUICK_GUESTS = {2, 8, 64};
  private static final int FRAME = 60;
  private static final Contender.Timing WARM_UP = new Contender.Timing(0, 2000);
  private static final Contender.Timing TIMING = new Contender.Timing(0, 300);
  private static final long SETTLE_NANOS = 50_000_000;

  /** What a window told: processor time, frames that the back-end took, frames that arrived. */
  private record Window(long nanos, long sent, long received) {
    double cost() {
      return (double) nanos / sent;
    }
  }

  @Override
  public String name() {
    return "curve";
  }

  @Override
  public Set<String> words() {
    return Arrays.stream(GUESTS).mapToObj(CurveSection::word).collect(Collectors.toSet());
  }

  private static String word(int guests) {
    return "guests=" + guests;
  }

  @Override
  public void run(Selection selection, Report report) throws Exception {
    int[] counts =
        Arrays.stream(selection.quick() && selection.words().isEmpty() ? QUICK_GUESTS : GUESTS)
            .filter(guests -> selection.wants(name(), word(guests)))
            .toArray();
    if (counts.length == 0) {
      return;
    }
    report.title("Cost of a frame by the number of guests");
    report.note(
        "Processor time of the back-end for each frame of 60 bytes that it took, in ns. Each two"
            + " guests send to each other as fast as they are let; one active: only the first one"
            + " sends.");
    try (Hugepages memory = new Hugepages(RawBackend.PAGES)) {
      report.note("DPDK's memory: " + memory.description() + ".");
      report.table(
          "guests", "active", "ours, ns/frame, quartiles", "of them arrived", "DPDK, ns/frame");
      for (int guests : counts) {
        List<String> words = guests == 1 ? List.of("--workers=1", "null:") : List.of("--workers=1");
        try (var ours = side(RawBackend.ours(guests, words, ""), guests)) {
          if (guests == 1) {
            alone(selection, report, ours);
          } else {
            compare(selection, report, ours, memory, guests);
          }
        }
      }
    }
  }

  /** One guest, and nobody to send to. */
  private static void alone(Selection selection, Report report, RawSide<Crowd, Window> ours)
      throws IOException {
    ours.guests().activate(1);
    ours.window(WARM_UP);
    double[] costs = new double[selection.pairs()];
    for (int i = 0; i < costs.length; i++) {
      costs[i] = ours.window(TIMING).cost();
    }
    report.row("1, and null:", "1", cell(Quartiles.of(costs)), "", "");
  }

  private static void compare(
      Selection selection, Report report, RawSide<Crowd, Window> ours, Hugepages memory, int guests)
      throws Exception {
    try (var dpdk = side(RawBackend.testpmd(guests, memory), guests)) {
      for (int active : new int[] {1, guests}) {
        for (var side : List.of(ours, dpdk)) {
          side.guests().activate(active);
          side.window(WARM_UP);
        }
        var turns = Contender.takeTurns(ours, dpdk, selection.pairs(), TIMING);
        long sent = turns.ours().stream().mapToLong(Window::sent).sum();
        long received = turns.ours().stream().mapToLong(Window::received).sum();
        report.row(
            Integer.toString(guests),
            active == 1 ? "one" : "all",
            cell(costs(turns.ours())),
            "%.1f %%".formatted(100.0 * received / sent),
            cell(costs(turns.peers())));
      }
    }
  }

  private static RawSide<Crowd, Window> side(RawBackend backend, int guests) throws IOException {
    return new RawSide<>(
        backend, connected -> new Crowd(connected, guests, FRAME), CurveSection::cost);
  }

  private static Window cost(RawBackend backend, Crowd guests, long nanos) throws IOException {
    guests.play(SETTLE_NANOS);
    long before = backend.processorNanos();
    guests.play(nanos);
    return new Window(backend.processorNanos() - before, guests.sent(), guests.received());
  }

  private static Quartiles costs(List<Window> windows) {
    return Quartiles.of(windows.stream().mapToDouble(Window::cost).toArray());
  }

  private static String cell(Quartiles costs) {
    return "%.1f (%.1f to %.1f)".formatted(costs.median(), costs.low(), costs.high());
  }
}
