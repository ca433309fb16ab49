// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A guest's frames into a port and out of one, against net_vhost with the same front-end.
///
/// ```
///   TX   testpmd txonly, net_virtio_user  --->  vhost-netmap vhost: null:         / testpmd net_vhost rxonly
///   RX   testpmd rxonly, net_virtio_user  <---  vhost-netmap vhost: pktgen:len=N  / testpmd net_vhost txonly
/// ```
///
/// The front-end's own counters tell both directions. Pairs with the same virtio options stay up
/// for all their rows.
final class VhostSection implements Section {
  private static final int PAGES = 384;
  private static final double FRONT_END_BOUND = 0.9;
  private static final double WANTED_OF_BOUND = 0.97;

  private record Row(VirtioOptions options, boolean receives, int bytes) {
    String direction() {
      return receives ? "RX" : "TX";
    }

    /** Our port at the other end. */
    String port() {
      return receives ? "pktgen:len=" + bytes : "null:";
    }

    List<String> words() {
      List<String> words = new ArrayList<>(List.of("vhost", direction(), Integer.toString(bytes)));
      words.addAll(options.words());
      return words;
    }
  }

  @Override
  public String name() {
    return "vhost";
  }

  @Override
  public Set<String> words() {
    Set<String> words = new LinkedHashSet<>();
    all().forEach(row -> words.addAll(row.words()));
    return words;
  }

  /** Each kind of ring at 64 and 1514 bytes; the plainest and the newest at all sizes. */
  private static List<Row> all() {
    List<Row> rows = new ArrayList<>();
    for (boolean packed : new boolean[] {false, true}) {
      for (boolean inOrder : new boolean[] {false, true}) {
        boolean ends = packed == inOrder;
        rows(rows, new VirtioOptions(packed, inOrder, true, 1), ends);
        if (!inOrder) {
          rows(rows, new VirtioOptions(packed, false, false, 1), false);
        }
        if (ends) {
          rows(rows, new VirtioOptions(packed, inOrder, true, 2), false);
        }
      }
    }
    return rows;
  }

  private static void rows(List<Row> rows, VirtioOptions options, boolean allSizes) {
    for (boolean receives : new boolean[] {false, true}) {
      for (int bytes : allSizes ? new int[] {64, 256, 512, 1514} : new int[] {64, 1514}) {
        rows.add(new Row(options, receives, bytes));
      }
    }
  }

  /** The quick ones are those of one pair with mergeable buffers, the smallest and the largest. */
  private static boolean isQuick(Row row) {
    VirtioOptions options = row.options;
    return options.mergeable()
        && options.pairs() == 1
        && options.packed() == options.inOrder()
        && (row.bytes == 64 || row.bytes == 1514);
  }

  @Override
  public void run(Selection selection, Report report) throws IOException {
    Map<VirtioOptions, List<Row>> groups = new LinkedHashMap<>();
    for (Row row : all()) {
      if (selection.wants(row.words())
          && (!selection.quick() || !selection.words().isEmpty() || isQuick(row))) {
        groups.computeIfAbsent(row.options, key -> new ArrayList<>()).add(row);
      }
    }
    if (groups.isEmpty()) {
      return;
    }
    try (Hugepages memory = new Hugepages(PAGES)) {
      report.title("vhost ports, against net_vhost");
      report.note(
          "Front-ends and DPDK in %s. Warm-up %d ms, then %d pairs of windows of %d ms a row."
              .formatted(
                  memory.description(),
                  warmUpMillis(selection),
                  selection.pairs(),
                  timing().windowMillis()));
      report.table(
          "rings",
          "buffers",
          "pairs",
          "direction",
          "bytes",
          "ours, Mframes/s",
          "DPDK",
          "ours/DPDK, quartiles",
          "ours itself, ns/frame (busy)",
          "DPDK itself",
          "warm after, s");
      for (List<Row> rows : groups.values()) {
        new Group(selection, report, memory, rows.getFirst().options).run(rows);
      }
    }
  }

  private static long warmUpMillis(Selection selection) {
    return selection.quick() ? 3000 : 5000;
  }

  private static Contender.Timing timing() {
    return new Contender.Timing(60, 500);
  }

  /** All rows of the same virtio options. */
  private record Group(
      Selection selection, Report report, Hugepages memory, VirtioOptions options) {
    void run(List<Row> rows) throws IOException {
      Path folder = Files.createTempDirectory("vnmbench");
      Map<String, VhostContender> ours = new HashMap<>();
      try {
        Path socket = folder.resolve("dpdk.sock");
        List<Path> sockets = List.of(socket);
        BackEnd backEnd = DpdkBackEnd.start(folder, memory, sockets, options.pairs());
        try (VhostContender dpdk = new VhostContender(backEnd, folder, memory, sockets, options)) {
          for (Row row : rows) {
            measure(row, ours, dpdk, folder);
          }
        }
      } catch (IOException e) {
        report.failed(String.join(" ", rows.getFirst().words()), e);
      } finally {
        ours.values().forEach(VhostContender::close);
        TestNetwork.run(List.of("rm", "-r", folder.toString()));
      }
    }

    private VhostContender start(Row row, Path folder) throws IOException {
      Path own = Files.createTempDirectory(folder, "ours");
      Path socket = own.resolve("guest.sock");
      String guest = "vhost:" + socket + ",queues=" + options.pairs();
      OurBackEnd backEnd = OurBackEnd.start(own, List.of(guest, row.port()));
      return new VhostContender(backEnd, own, memory, List.of(socket), options);
    }

    private void measure(
        Row row, Map<String, VhostContender> ours, VhostContender dpdk, Path folder)
        throws IOException {
      VhostContender mine = ours.get(row.port());
      boolean cold = mine == null;
      if (mine == null) {
        mine = start(row, folder);
        ours.put(row.port(), mine);
      }
      mine.traffic(row.receives, row.bytes);
      dpdk.traffic(row.receives, row.bytes);
      Ramp ramp = Ramp.of(mine, cold ? warmUpMillis(selection) : 500);
      Ramp.of(dpdk, 500);
      var turns = Contender.takeTurns(mine, dpdk, selection.pairs(), timing());
      BackEnd.Own own = mine.own(timing());
      double rate = turns.median(turns.ours(), frames -> frames);
      Quartiles ratio = turns.ratio(frames -> frames);
      boolean bound = own.busy().orElse(1) < FRONT_END_BOUND;
      report.row(
          String.join(" ", row.words()),
          ratio.median(),
          bound ? WANTED_OF_BOUND : 1,
          options.rings(),
          options.buffers(),
          Integer.toString(options.pairs()),
          row.direction(),
          Integer.toString(row.bytes),
          "%.2f".formatted(rate / 1e6),
          "%.2f".formatted(turns.median(turns.peers(), frames -> frames) / 1e6),
          ratio.ratio() + (bound ? ", front-end bound" : ""),
          own.cell(),
          dpdk.own(timing()).cell(),
          cold ? "%.2f".formatted(ramp.seconds(rate)) : "");
    }
  }
}
