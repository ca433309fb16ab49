// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;

/**
 * The counters of a netmap port. They stay with a ring's number, however often the port goes and
 * comes back, with however many rings. Control thread.
 */
final class RingCounters {
  private final List<QueueCounters> in = new ArrayList<>();
  private final List<QueueCounters> out = new ArrayList<>();

  /** Of the RX ring with this number. */
  QueueCounters in(int number) {
    return known(in, "in", number, true);
  }

  /** Of the TX ring with this number. */
  QueueCounters out(int number) {
    return known(out, "out", number, false);
  }

  private static QueueCounters known(
      List<QueueCounters> known, String word, int number, boolean source) {
    while (known.size() <= number) {
      known.add(new QueueCounters(word + known.size(), source));
    }
    return known.get(number);
  }

  List<QueueStatus> status() {
    List<QueueStatus> all = new ArrayList<>();
    in.forEach(counters -> all.add(counters.status()));
    out.forEach(counters -> all.add(counters.status()));
    return all;
  }
}
