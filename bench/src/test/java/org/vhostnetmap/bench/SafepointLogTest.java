// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SafepointLogTest {
  private static final String COLLECTION =
      "[1.457s][info][safepoint      ] Safepoint \"SerialGCCollect\", Time since last: 228379214 ns,"
          + " Reaching safepoint: 2633 ns, At safepoint: 16576061 ns, Leaving safepoint: 4036 ns,"
          + " Total: 16582730 ns, Threads: 0 runnable, 10 total";
  private static final String STATISTICS =
      "[1.457s][info][safepoint,stats] SerialGCCollect [ 10 0 ][ 2633 16580097 16582730 ] 0";

  @Test
  void eachPauseCountsOnceUnderItsReason() {
    var causes = SafepointLog.read(List.of(COLLECTION, STATISTICS, COLLECTION, "nothing"));
    assertEquals(Set.of("SerialGCCollect"), causes.keySet());
    var collections = Objects.requireNonNull(causes.get("SerialGCCollect"));
    assertEquals(2, collections.total().getTotalCount());
    assertEquals(16.58, collections.total().getMaxValue() / 1e6, 0.02);
    assertEquals(2633.0, collections.reaching().getMaxValue() * 1.0, 3);
  }
}
