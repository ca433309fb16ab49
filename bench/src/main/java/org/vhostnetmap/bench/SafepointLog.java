// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.HdrHistogram.Histogram;

/** What a JVM says of its pauses by {@code -Xlog:safepoint*=info}. */
final class SafepointLog {
  private static final Pattern LINE =
      Pattern.compile("Safepoint \"(\\w+)\".* Reaching safepoint: +(\\d+) ns.* Total: +(\\d+) ns");

  private SafepointLog() {}

  /**
   * All pauses for one reason, in nanoseconds.
   *
   * @param total from the demand to stop until all threads go on
   * @param reaching of that, the time until the last thread had stopped
   */
  record Cause(Histogram total, Histogram reaching) {}

  /** The pauses by their reason, HotSpot's own word. */
  static Map<String, Cause> read(List<String> lines) {
    Map<String, Cause> causes = new TreeMap<>();
    for (String line : lines) {
      Matcher matcher = LINE.matcher(line);
      if (matcher.find()) {
        Cause cause =
            causes.computeIfAbsent(
                matcher.group(1), name -> new Cause(PingPong.histogram(), PingPong.histogram()));
        cause.reaching.recordValue(Long.parseLong(matcher.group(2)));
        cause.total.recordValue(Long.parseLong(matcher.group(3)));
      }
    }
    return causes;
  }
}
