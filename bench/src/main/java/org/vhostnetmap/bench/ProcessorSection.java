// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.List;
import java.util.Set;

/**
 * What a back-end uses of a processor at idle and at small rates: one guest sends, the other one
 * receives and wants to be called for each frame, as a guest that sleeps between two.
 */
final class ProcessorSection implements Section {
  private static final Contender.Timing WARM_UP = new Contender.Timing(100, 2000);
  private static final Contender.Timing TIMING = new Contender.Timing(100, 500);
  private static final long SETTLE_NANOS = 100_000_000;
  private static final double IDLE_LIMIT = 0.005;

  /** A rate and the word that chooses it. */
  private record Load(String word, double perSecond) {}

  private static final List<Load> LOADS =
      List.of(
          new Load("idle", 0),
          new Load("1k", 1_000),
          new Load("10k", 10_000),
          new Load("100k", 100_000));

  private double rate;

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public Set<String> words() {
    return Set.of("idle", "1k", "10k", "100k");
  }

  @Override
  public void run(Selection selection, Report report) throws Exception {
    List<Load> loads = LOADS.stream().filter(load -> selection.wants(name(), load.word())).toList();
    if (loads.isEmpty()) {
      return;
    }
    report.title("Processor time at small rates");
    report.note(
        "Frames of 60 bytes from one guest to another, which wants a call for each; all threads of the"
            + " back-end.");
    try (Hugepages memory = new Hugepages(RawBackend.PAGES);
        var ours = side(RawBackend.ours(2, List.of(), ""));
        var dpdk = side(RawBackend.testpmd(2, memory))) {
      report.note("DPDK's memory: " + memory.description() + ".");
      report.table("frames/s", "ours, % of a processor, quartiles", "us/frame", "DPDK, %");

      for (Load load : loads) {
        rate = load.perSecond();
        for (var side : List.of(ours, dpdk)) {
          side.window(WARM_UP);
        }
        row(report, load, Contender.takeTurns(ours, dpdk, selection.pairs(), TIMING));
      }
    }
  }

  private RawSide<PingPong, Window> side(RawBackend backend) throws IOException {
    return new RawSide<>(
        backend, connected -> new PingPong(connected, false, true), this::shareOfProcessor);
  }

  /** Share of a processor, and what was sent meanwhile. */
  private record Window(double share, double framesPerSecond) {}

  private Window shareOfProcessor(RawBackend backend, PingPong guests, long nanos)
      throws IOException {
    if (rate != 0) {
      guests.play(rate, SETTLE_NANOS);
    }
    long start = System.nanoTime();
    long before = backend.processorNanos();
    long sent = 0;
    if (rate == 0) {
      Contender.pause(nanos / 1_000_000);
    } else {
      sent = guests.play(rate, nanos).sent();
    }
    double used = backend.processorNanos() - before;
    long time = System.nanoTime() - start;
    return new Window(used / time, sent * 1e9 / time);
  }

  private static void row(Report report, Load load, Contender.Turns<Window> turns) {
    Quartiles ours = Quartiles.of(turns.ours().stream().mapToDouble(Window::share).toArray());
    double dpdk = turns.median(turns.peers(), Window::share);
    boolean idle = load.perSecond() == 0;
    String[] cells = {
      idle ? "none" : "%,.0f".formatted(load.perSecond()),
      "**%.2f** (%.2f to %.2f)".formatted(ours.median() * 100, ours.low() * 100, ours.high() * 100),
      idle
          ? ""
          : "%.2f"
              .formatted(ours.median() * 1e6 / turns.median(turns.ours(), Window::framesPerSecond)),
      "%.0f".formatted(dpdk * 100)
    };
    if (idle) {
      report.row("cpu at idle, limit/used", IDLE_LIMIT / ours.median(), 1, cells);
    } else {
      report.row(cells);
    }
  }
}
