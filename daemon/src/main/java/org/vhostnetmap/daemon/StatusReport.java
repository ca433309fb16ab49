// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.vhostnetmap.bridge.BridgeStatus;

/**
 * The state of a running back-end at one moment: its process and its bridge.
 *
 * @param uptimeSeconds since the ports were open
 * @param residentBytes memory of this process in RAM, guest memory that it touched included
 */
record StatusReport(
    String version, long pid, long uptimeSeconds, long residentBytes, BridgeStatus bridge) {
  private static final Path PROC_STATUS = Path.of("/proc/self/status");

  /** This process now; {@code startNanos} is when its ports were opened, by System.nanoTime. */
  static StatusReport ofThisProcess(long startNanos, BridgeStatus bridge) {
    long uptime = (System.nanoTime() - startNanos) / 1_000_000_000L;
    long pid = ProcessHandle.current().pid();
    return new StatusReport(Version.text(), pid, uptime, residentNow(), bridge);
  }

  /** man 5 proc_pid_status, VmRSS; 0 where /proc can't be read. */
  private static long residentNow() {
    try {
      for (String line : Files.readAllLines(PROC_STATUS)) {
        if (line.startsWith("VmRSS:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
      }
    } catch (IOException e) {
      // A sandbox without /proc: the rest of the report is still worth having.
    }
    return 0;
  }
}
