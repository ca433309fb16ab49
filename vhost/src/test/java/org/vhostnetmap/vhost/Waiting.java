// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.time.Duration;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;

/** Waits for what happens in another thread. */
final class Waiting {
  private Waiting() {}

  static void until(Callable<Boolean> condition) {
    Awaitility.await()
        .pollInterval(Duration.ofMillis(1))
        .atMost(Duration.ofSeconds(10))
        .until(condition);
  }
}
