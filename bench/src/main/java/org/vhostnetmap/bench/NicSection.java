// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Our NIC ports against DPDK's drivers of the same kind, on two veth pairs in one namespace.
///
/// ```
///   TX   program under test on ours0 / dpdk0  --->  ours1 / dpdk1: the kernel counts and drops
///   RX   program under test on ours0 / dpdk0  <---  ours1 / dpdk1: testpmd txonly with net_af_xdp
/// ```
///
/// The program under test is on processor 0, all others are on processor 1.
final class NicSection implements Section {
  private static final long WARM_UP_MILLIS = 5000;
  private static final long QUICK_WARM_UP_MILLIS = 2000;
  private static final long PEER_WARM_UP_MILLIS = 500;
  private static final Contender.Timing TIMING = new Contender.Timing(100, 500);

  @Override
  public String name() {
    return "nic";
  }

  @Override
  public Set<String> words() {
    return Set.of("AF_XDP", "AF_PACKET", "TX", "RX", "64", "1514");
  }

  private record Row(String way, boolean receives, int bytes) {
    String direction() {
      return receives ? "RX" : "TX";
    }

    List<String> words() {
      return List.of("nic", way, direction(), Integer.toString(bytes));
    }

    String title() {
      return String.join(" ", words());
    }
  }

  private static List<Row> rows(Selection selection) {
    List<Row> rows = new ArrayList<>();
    for (String way : List.of("AF_XDP", "AF_PACKET")) {
      for (boolean receives : new boolean[] {false, true}) {
        for (int bytes : new int[] {64, 1514}) {
          rows.add(new Row(way, receives, bytes));
        }
      }
    }
    rows.removeIf(row -> !selection.wants(row.words()));
    return rows;
  }

  @Override
  public void run(Selection selection, Report report) throws IOException {
    List<Row> rows = rows(selection);
    if (rows.isEmpty()) {
      return;
    }
    report.title("NIC ports: AF_XDP and AF_PACKET, against net_af_xdp and net_af_packet");
    report.note(
        "Warm-up %d ms, then %d pairs of windows of %d ms."
            .formatted(warmUpMillis(selection), selection.pairs(), TIMING.windowMillis()));
    report.table(
        "way",
        "direction",
        "bytes",
        "ours, Mframes/s",
        "DPDK",
        "ours/DPDK, quartiles",
        "ours: user + kernel, ns/frame",
        "DPDK");
    try (TestNetwork network = new TestNetwork()) {
      for (Row row : rows) {
        measure(network, row, selection, report);
      }
    }
  }

  private static long warmUpMillis(Selection selection) {
    return selection.quick() ? QUICK_WARM_UP_MILLIS : WARM_UP_MILLIS;
  }

  private static void measure(TestNetwork network, Row row, Selection selection, Report report)
      throws IOException {
    report.progress(row.title());
    try (NicContender ours = contender(network, row, "ours");
        NicContender dpdk = contender(network, row, "dpdk")) {
      ours.window(new Contender.Timing(0, warmUpMillis(selection)));
      dpdk.window(new Contender.Timing(0, PEER_WARM_UP_MILLIS));
      var turns = Contender.takeTurns(ours, dpdk, selection.pairs(), TIMING);
      report.count(turns);
      Quartiles ratio = turns.ratio(NicContender.Window::rate);
      report.row(
          row.title(),
          ratio.median(),
          1,
          row.way,
          row.direction(),
          Integer.toString(row.bytes),
          "%.3f".formatted(turns.median(turns.ours(), NicContender.Window::rate) / 1e6),
          "%.3f".formatted(turns.median(turns.peers(), NicContender.Window::rate) / 1e6),
          ratio.ratio(),
          processorTime(turns, turns.ours()),
          processorTime(turns, turns.peers()));
    }
  }

  private static NicContender contender(TestNetwork network, Row row, String side)
      throws IOException {
    return new NicContender(network, side, row.way, row.receives, row.bytes);
  }

  private static String processorTime(
      Contender.Turns<NicContender.Window> turns, List<NicContender.Window> side) {
    return "%.0f + %.0f"
        .formatted(
            turns.median(side, NicContender.Window::user),
            turns.median(side, NicContender.Window::kernel));
  }
}
