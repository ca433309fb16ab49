// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A guest's frames into a port and out of one, and between two guests, against net_vhost with the
/// same front-end.
///
/// ```
///             processor 1                             processor 0
///   TX        testpmd txonly, net_virtio_user  --->  vhost-netmap vhost: null:         / testpmd net_vhost rxonly
///   RX        testpmd rxonly, net_virtio_user  <---  vhost-netmap vhost: pktgen:len=N  / testpmd net_vhost txonly
///   BRIDGE    testpmd txonly, net_virtio_user  --->  vhost-netmap vhost: pktgen: null: / testpmd net_vhost rxonly
///   GUESTS    testpmd io, two net_virtio_user  <-->  vhost-netmap vhost: vhost:        / testpmd io, two net_vhost
/// ```
///
/// The front-end's own counters tell all of them.
final class VhostSection implements Section {
  /**
   * Of 2 MiB, for the ten programs of DPDK that are up at once at most, a page or two to spare
   * each.
   */
  private static final int PAGES = 10 * (VhostContender.MEBIBYTES / 2 + 2);

  @Override
  public String name() {
    return "vhost";
  }

  @Override
  public Set<String> words() {
    Set<String> words = new LinkedHashSet<>();
    VhostRow.all().forEach(row -> words.addAll(row.words()));
    return words;
  }

  @Override
  public void run(Selection selection, Report report) throws IOException {
    Map<VirtioOptions, List<VhostRow>> groups = new LinkedHashMap<>();
    // Who names more than the section gets all rows that have the words.
    boolean all = !selection.quick() || !List.of(name()).containsAll(selection.words());
    for (VhostRow row : VhostRow.all()) {
      if (selection.wants(row.words()) && (all || row.isQuick())) {
        groups.computeIfAbsent(row.options(), key -> new ArrayList<>()).add(row);
      }
    }
    if (groups.isEmpty()) {
      return;
    }
    try (Hugepages memory = new Hugepages(PAGES)) {
      report.title("vhost ports, against net_vhost");
      report.note(
          "Memory of the front-ends and of DPDK: %s. Warm-up %d ms for a program just started, %d ms else, then %d pairs of windows of %d ms."
              .formatted(
                  memory.description(),
                  VhostPairs.coldMillis(selection),
                  VhostPairs.WARM_MILLIS,
                  selection.pairs(),
                  VhostPairs.TIMING.windowMillis()));
      report.table(
          "rings",
          "buffers",
          "pairs",
          "way",
          "bytes",
          "ours, Mframes/s",
          "DPDK",
          "ours/DPDK, quartiles",
          "ours itself, ns/frame (busy, frames a burst)",
          "DPDK itself",
          "front-end: with ours, with DPDK",
          "warm after, s");
      for (var group : groups.entrySet()) {
        try (VhostPairs pairs = new VhostPairs(selection, report, memory, group.getKey())) {
          group.getValue().forEach(pairs::measure);
        }
      }
    }
  }
}
