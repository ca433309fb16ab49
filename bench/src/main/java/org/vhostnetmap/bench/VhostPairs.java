// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All pairs of front-end and back-end with the same virtio options: they stay up for all their
 * rows.
 */
final class VhostPairs implements AutoCloseable {
  /** Of each window. */
  static final Contender.Timing TIMING = new Contender.Timing(50, 500);

  /** Of the windows of sizes between the smallest and the largest. */
  static final Contender.Timing SHORT = new Contender.Timing(50, 300);

  /** Warm-up of programs that were measured before. */
  static final long WARM_MILLIS = 500;

  private static final long COLD_MILLIS = 5000;
  private static final long QUICK_COLD_MILLIS = 3000;

  /** Below this share of the time with something to do, the front-end is the limit. */
  private static final double FRONT_END_BOUND = 0.9;

  private static final double WANTED_OF_BOUND = 0.97;

  private final Selection selection;
  private final Report report;
  private final Hugepages memory;
  private final VirtioOptions options;
  private final Scratch scratch = new Scratch();
  private final Map<List<String>, VhostContender> running = new HashMap<>();

  VhostPairs(Selection selection, Report report, Hugepages memory, VirtioOptions options)
      throws IOException {
    this.selection = selection;
    this.report = report;
    this.memory = memory;
    this.options = options;
  }

  /** Warm-up of programs that were just started. */
  static long coldMillis(Selection selection) {
    return selection.quick() ? QUICK_COLD_MILLIS : COLD_MILLIS;
  }

  /** Measures and reports a row; one that does not work is reported as such. */
  void measure(VhostRow row) {
    report.progress(row.name());
    try {
      measure(row, ours(row), dpdk(row));
    } catch (IOException e) {
      report.failed(row.name(), e);
    }
  }

  private List<Path> sockets(Path in, VhostRow row) {
    List<Path> sockets = new ArrayList<>();
    for (int i = 0; i < row.kind().guests; i++) {
      sockets.add(in.resolve("guest" + i + ".sock"));
    }
    return sockets;
  }

  private VhostContender ours(VhostRow row) throws IOException {
    // Whoever has the same other ports can serve more than one row.
    List<String> key = row.ports(List.of());
    VhostContender known = running.get(key);
    if (known == null) {
      Path own = Files.createTempDirectory(scratch.path(), "ours");
      List<Path> sockets = sockets(own, row);
      OurBackEnd backEnd = OurBackEnd.start(own, row.ports(sockets));
      known = new VhostContender(backEnd, own, memory, sockets, options);
      running.put(key, known);
    }
    return known;
  }

  private VhostContender dpdk(VhostRow row) throws IOException {
    List<String> key = List.of("dpdk", Integer.toString(row.kind().guests));
    VhostContender known = running.get(key);
    if (known == null) {
      Path own = Files.createTempDirectory(scratch.path(), "dpdk");
      List<Path> sockets = sockets(own, row);
      DpdkBackEnd backEnd = DpdkBackEnd.start(own, memory, sockets, options.pairs());
      known = new VhostContender(backEnd, own, memory, sockets, options);
      running.put(key, known);
    }
    return known;
  }

  private void measure(VhostRow row, VhostContender ours, VhostContender dpdk) throws IOException {
    Ramp ramp = warmUp(ours, row);
    warmUp(dpdk, row);
    var turns = Contender.takeTurns(ours, dpdk, selection.pairs(), row.isEnd() ? TIMING : SHORT);
    VhostContender.Costs costs = ours.costs(TIMING);
    VhostContender.Costs theirs = dpdk.costs(TIMING);
    ours.requireArrived(row.kind());
    dpdk.requireArrived(row.kind());
    report.count(turns);
    double rate = turns.median(turns.ours(), frames -> frames);
    Quartiles ratio = turns.ratio(frames -> frames);
    boolean bound = costs.own().busy().orElse(1) < FRONT_END_BOUND;
    report.row(
        row.name(),
        ratio.median(),
        bound ? row.wanted() * WANTED_OF_BOUND : row.wanted(),
        options.rings(),
        options.buffers(),
        Integer.toString(options.pairs()),
        row.kind().name(),
        Integer.toString(row.bytes()),
        "%.2f".formatted(rate / 1e6),
        "%.2f".formatted(turns.median(turns.peers(), frames -> frames) / 1e6),
        ratio.ratio() + (bound ? ", front-end bound" : ""),
        costs.own().cell(),
        theirs.own().cell(),
        costs.frontEnd() + ", " + theirs.frontEnd(),
        ramp == null ? "" : ramp.cell(rate));
  }

  /** The ramp of programs that were just started. */
  private @Nullable Ramp warmUp(VhostContender contender, VhostRow row) throws IOException {
    boolean cold = contender.isCold();
    contender.traffic(row.kind(), row.bytes());
    Ramp ramp = Ramp.of(contender, cold ? coldMillis(selection) : WARM_MILLIS);
    return cold ? ramp : null;
  }

  @Override
  public void close() throws IOException {
    running.values().forEach(VhostContender::close);
    scratch.close();
  }
}
