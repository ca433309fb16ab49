// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/** What has happened to a port since it was made. Control thread only. */
final class PortCounters {
  private static final System.Logger LOG = System.getLogger(PortCounters.class.getName());

  long frontends;
  long refusedFrontends;
  long protocolFaults;
  long refusedRequests;
  long unknownRequests;
  long strayFds;
  long penances;
  @Nullable String lastTrouble;
  private final LineLimit lines = new LineLimit(System::nanoTime);

  /** Notes what went wrong, and says it. */
  void trouble(String port, String what) {
    lastTrouble = what;
    say(port, Level.WARNING, what);
  }

  /** Says something that a peer can bring about again and again, unless it was too often lately. */
  void say(String port, Level level, String what) {
    if (lines.take()) {
      long omitted = lines.takeOmitted();
      if (omitted > 0) {
        LOG.log(Level.WARNING, "{0}: {1} more lines were left out", port, omitted);
      }
      LOG.log(level, "{0}: {1}", port, what);
    }
  }

  BackendStatus.Counters copy() {
    return new BackendStatus.Counters(
        frontends,
        refusedFrontends,
        protocolFaults,
        refusedRequests,
        unknownRequests,
        strayFds,
        penances);
  }
}
