// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What {@code scripts/bench} runs: one section after the other, each of them a table. */
public final class Bench {
  private static final List<Section> SECTIONS =
      List.of(
          new VhostSection(),
          new NicSection(),
          new RestSection(),
          new LatencySection(),
          new ProcessorSection(),
          new CurveSection(),
          new NotificationSection(),
          new PauseSection());

  private Bench() {}

  /** Arguments: --quick, and words that choose rows. Ends with 64 where no row can have a word. */
  public static void main(String[] arguments) throws Exception {
    List<String> words = new ArrayList<>(List.of(arguments));
    boolean quick = words.remove("--quick");
    Set<String> known = new TreeSet<>();
    for (Section section : SECTIONS) {
      known.add(section.name());
      known.addAll(section.words());
    }
    for (String word : words) {
      if (!known.containsAll(Selection.alternatives(word))) {
        System.err.println("no row has the word " + word + "; there are " + known);
        System.exit(64); // EX_USAGE
      }
    }
    Report report = new Report(System.out);
    report.note(environment());
    for (Section section : SECTIONS) {
      section.run(new Selection(quick, words), report);
    }
    report.verdict();
  }

  private static String environment() {
    StringBuilder set = new StringBuilder();
    for (String name : List.of("VHOST_NETMAP_JAVA_OPTS", "BENCH_OPTIONS")) {
      String value = System.getenv(name);
      set.append(value == null ? "" : " " + name + "=" + value + ".");
    }
    return "%s, commit %s, kernel %s, Java %s, DPDK %s, %d processors (%s).%s"
        .formatted(
            LocalDate.now(ZoneOffset.UTC),
            System.getProperty("commit", "unknown"),
            System.getProperty("os.version"),
            Runtime.version(),
            System.getProperty("dpdk.version", "of an unknown version"),
            Integer.getInteger("processors", Runtime.getRuntime().availableProcessors()),
            System.getProperty("processor", "of an unknown kind"),
            set);
  }
}
