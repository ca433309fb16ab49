// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * How long our JVM stops all its threads while frames run, by its own log of safepoints, and what
 * for. The traffic changes between full load, 100,000 frames a second and silence; the status is
 * asked for and guests go and come back, so that the control plane makes its garbage too.
 */
final class PauseSection implements Section {
  private static final long PHASE_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final double LIMIT_MILLIS = 2;
  private static final int SECONDS = 600;
  private static final int QUICK_SECONDS = 30;

  @Override
  public String name() {
    return "pauses";
  }

  @Override
  public Set<String> words() {
    return Set.of();
  }

  @Override
  public void run(Selection selection, Report report) throws Exception {
    if (!selection.words().contains(name())) {
      return; // ten minutes, only when asked for
    }
    int seconds = Integer.getInteger("pause.seconds", selection.quick() ? QUICK_SECONDS : SECONDS);
    report.title("Longest pause of our JVM");
    report.note(
        "%d s of full load, 100,000 frames/s and silence in turns, with guests that come and go; in ms."
            .formatted(seconds));
    Path log = Files.createTempFile("vnmraw", ".safepoints");
    Histogram latencies = PingPong.histogram();
    try {
      String logging = "-Xlog:safepoint*=info:file=" + log + "::filecount=0";
      try (RawBackend ours = RawBackend.ours(2, List.of(), logging)) {
        traffic(ours, TimeUnit.SECONDS.toNanos(seconds), latencies);
        ours.requireAlive();
      }
      print(report, SafepointLog.read(Files.readAllLines(log)));
      report.note(
          ("Meanwhile a round trip at 100,000 frames/s took %.1f us (p50), %.1f (p99.9), %.0f"
                  + " (longest), times in which the measuring program itself did not run taken off.")
              .formatted(
                  latencies.getValueAtPercentile(50) / 1e3,
                  latencies.getValueAtPercentile(99.9) / 1e3,
                  latencies.getMaxValue() / 1e3));
    } finally {
      Files.delete(log);
    }
  }

  private static void traffic(RawBackend ours, long nanos, Histogram latencies) throws IOException {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      try (Crowd crowd = new Crowd(ours, 2, PingPong.FRAME)) {
        crowd.activate(2);
        crowd.play(PHASE_NANOS);
      }
      try (PingPong guests = new PingPong(ours, true, true)) {
        guests.play(100_000, PHASE_NANOS / 10);
        latencies.add(guests.play(100_000, PHASE_NANOS).latencies());
      }
      ours.status();
      Contender.pause(250);
    }
  }

  private static void print(Report report, Map<String, SafepointLog.Cause> causes)
      throws IOException {
    if (causes.isEmpty()) {
      throw new IOException("a JVM without a single pause: its log can't be right");
    }
    report.table("what for", "how often", "median", "longest", "longest way to it");
    long longest = 1;
    for (var entry : causes.entrySet()) {
      SafepointLog.Cause cause = entry.getValue();
      longest = Math.max(longest, cause.total().getMaxValue());
      report.row(
          entry.getKey(),
          Long.toString(cause.total().getTotalCount()),
          "%.3f".formatted(cause.total().getValueAtPercentile(50) / 1e6),
          "%.3f".formatted(cause.total().getMaxValue() / 1e6),
          "%.3f".formatted(cause.reaching().getMaxValue() / 1e6));
    }
    report.row(
        "longest pause, limit/pause",
        LIMIT_MILLIS * 1e6 / longest,
        1,
        "any",
        "",
        "",
        "**%.3f**".formatted(longest / 1e6),
        "");
  }
}
