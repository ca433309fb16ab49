// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/** What has happened to a port since it was made. Control thread only. */
final class PortCounters {
  private static final System.Logger LOG = System.getLogger(PortCounters.class.getName());

  /** A front-end that does nothing but wrong must not fill the disk. */
  private static final int MOST_LINES_PER_FRONTEND = 10;

  long frontends;
  long refusedFrontends;
  long protocolFaults;
  long refusedRequests;
  long unknownRequests;
  long strayFds;
  long penances;
  @Nullable String lastTrouble;
  private int lines;

  /** Notes what went wrong, and says it unless this front-end has filled enough lines. */
  void trouble(String port, String what) {
    lastTrouble = what;
    if (lines++ < MOST_LINES_PER_FRONTEND) {
      LOG.log(Level.WARNING, "{0}: {1}", port, what);
    }
  }

  /** A new front-end begins. */
  void frontend() {
    frontends++;
    lines = 0;
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
