// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.HdrHistogram.Histogram;

/** How long a frame takes from one guest to another and back: ours and DPDK's testpmd. */
final class LatencySection implements Section {
  /** Each load by turns, so that no way through the program is gone for the first time later. */
  private static final int WARM_UP_ROUNDS = 2;

  private static final int WARM_UP_MILLIS = 1500;

  /**
   * A thousandth of a window that somebody else had decides its tail: more pairs than elsewhere.
   */
  private static final int MORE_PAIRS = 2;

  private static final Contender.Timing TIMING = new Contender.Timing(0, 450);
  private static final long SETTLE_NANOS = 50_000_000;

  /** So seldom that we sleep between two frames and each one has to wake us. */
  private static final double WAKING = 1_000;

  private static final double[] WARM_UP_LOADS = {WAKING, 10_000, 100_000, PingPong.CLOSED};

  /** A rate and the word that chooses it. */
  private record Load(String word, double perSecond) {}

  private static final List<Load> LOADS =
      List.of(
          new Load("10k", 10_000), new Load("100k", 100_000), new Load("closed", PingPong.CLOSED));

  private double rate;

  @Override
  public String name() {
    return "latency";
  }

  @Override
  public Set<String> words() {
    return Set.of("10k", "100k", "closed");
  }

  @Override
  public void run(Selection selection, Report report) throws Exception {
    List<Load> loads = LOADS.stream().filter(load -> selection.wants(name(), load.word())).toList();
    if (loads.isEmpty()) {
      return;
    }
    report.title("Latency: guest to guest and back");
    report.note(
        "Round trips of a frame of 60 bytes in microseconds, from when it was due (open loop) to"
            + " its return; closed: the next one is sent when the last is back. Guests poll. The"
            + " clock stands still while the measuring program itself does not run; the last column"
            + " tells how much of the time that was.");
    try (Hugepages memory = new Hugepages(RawBackend.PAGES);
        var ours = side(RawBackend.ours(2, List.of(), ""));
        var dpdk = side(RawBackend.testpmd(2, memory))) {
      report.note(
          "Warm-up of each: %d s, 1,000 frames a second, 10,000, 100,000 and closed by turns. DPDK's memory: %s."
              .formatted(
                  WARM_UP_ROUNDS * WARM_UP_LOADS.length * WARM_UP_MILLIS / 1000,
                  memory.description()));
      report.table(
          "frames/s",
          "ours: p50, p99, p99.9, max",
          "DPDK: p50, p99, p99.9, max",
          "p50 ours/DPDK",
          "p99.9 ours/DPDK, quartiles",
          "lost: ours, DPDK",
          "away: ours, DPDK");

      warmUp(ours);
      warmUp(dpdk);
      for (Load load : loads) {
        rate = load.perSecond();
        int pairs = MORE_PAIRS * selection.pairs();
        row(report, load, Contender.takeTurns(ours, dpdk, pairs, TIMING));
      }
    }
  }

  private void warmUp(Contender<?> side) throws IOException {
    for (int i = 0; i < WARM_UP_ROUNDS; i++) {
      for (double each : WARM_UP_LOADS) {
        rate = each;
        side.window(new Contender.Timing(0, WARM_UP_MILLIS));
      }
    }
  }

  private RawSide<PingPong, PingPong.Window> side(RawBackend backend) throws IOException {
    return new RawSide<>(
        backend,
        connected -> new PingPong(connected, true, false),
        (running, guests, nanos) -> {
          guests.play(rate, SETTLE_NANOS);
          return guests.play(rate, nanos);
        });
  }

  private static void row(Report report, Load load, Contender.Turns<PingPong.Window> turns) {
    Quartiles middle = turns.ratio(window -> window.latencies().getValueAtPercentile(50));
    Quartiles tail = turns.ratio(window -> window.latencies().getValueAtPercentile(99.9));
    String rate = "%,.0f".formatted(load.perSecond());
    if (load.perSecond() == PingPong.CLOSED) {
      rate = "closed: %,.0f, DPDK %,.0f".formatted(sent(turns.ours()), sent(turns.peers()));
    }
    String[] cells = {
      rate,
      percentiles(turns.ours()),
      percentiles(turns.peers()),
      "%.2f".formatted(middle.median()),
      tail.ratio(),
      lost(turns.ours()) + ", " + lost(turns.peers()),
      away(turns.ours()) + ", " + away(turns.peers())
    };
    report.row("latency p99.9 " + load.word(), 1 / tail.median(), 1, cells);
  }

  /** Frames a second. */
  private static double sent(List<PingPong.Window> windows) {
    double sent = windows.stream().mapToLong(PingPong.Window::sent).average().orElse(0);
    return sent * 1000 / TIMING.windowMillis();
  }

  private static long lost(List<PingPong.Window> windows) {
    return windows.stream().mapToLong(PingPong.Window::lost).sum();
  }

  private static String away(List<PingPong.Window> windows) {
    double nanos = windows.stream().mapToLong(PingPong.Window::away).average().orElse(0);
    return "%.1f %%".formatted(nanos / 1e4 / TIMING.windowMillis());
  }

  private static String percentiles(List<PingPong.Window> windows) {
    Histogram all = PingPong.histogram();
    windows.forEach(window -> all.add(window.latencies()));
    return "%.1f, %.1f, %.1f, %.0f"
        .formatted(
            all.getValueAtPercentile(50) / 1e3,
            all.getValueAtPercentile(99) / 1e3,
            all.getValueAtPercentile(99.9) / 1e3,
            all.getMaxValue() / 1e3);
  }
}
