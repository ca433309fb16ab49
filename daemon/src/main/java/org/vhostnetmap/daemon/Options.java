// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.Netmap;

/**
 * How the back-end is to run.
 *
 * @param ports in the order of the command line
 * @param socketMode permissions of the sockets we make
 * @param socketGroup their group by name, or null for our own
 * @param workers threads that move frames, 0 = as many as fit this machine
 * @param cpus processor of each worker; empty to leave that to the kernel
 * @param pollMicros the longest pause between frames that a worker polls through, if that pays
 * @param netmap which netmap serves the ports that are netmap's
 * @param fixNic whether settings of a NIC that don't go with netmap are changed, and put back at
 *     the end
 * @param control where the control socket is to be, or null for the usual place
 */
record Options(
    List<PortSpec> ports,
    int socketMode,
    @Nullable String socketGroup,
    Level logLevel,
    int workers,
    List<Integer> cpus,
    int pollMicros,
    Netmap.Mode netmap,
    boolean fixNic,
    @Nullable Path control) {
  static final int DEFAULT_SOCKET_MODE = 0600;
  static final int DEFAULT_POLL_MICROS = 200;
  static final int MAX_POLL_MICROS = 1_000_000;
  static final int MAX_WORKERS = 64;
}
