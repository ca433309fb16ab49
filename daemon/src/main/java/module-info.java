// SPDX-License-Identifier: Apache-2.0

/** The program: options, wiring, control socket, log. */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.daemon {
  requires static org.jspecify;
  requires info.picocli;
  requires org.vhostnetmap.bridge;

  provides System.LoggerFinder with
      org.vhostnetmap.daemon.StderrLoggerFinder;
}
