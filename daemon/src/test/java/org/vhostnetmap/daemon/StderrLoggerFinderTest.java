// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.System.Logger.Level;
import org.junit.jupiter.api.Test;

class StderrLoggerFinderTest {
  @Test
  void aLineNamesTheProgramAndWarningsAsSuch() {
    assertEquals("vhost-netmap: ready\n", StderrLoggerFinder.line(Level.INFO, "ready", false));
    assertEquals(
        "vhost-netmap: warning: odd\n", StderrLoggerFinder.line(Level.WARNING, "odd", false));
    assertEquals("vhost-netmap: debug: m\n", StderrLoggerFinder.line(Level.DEBUG, "m\n", false));
  }

  @Test
  void underTheJournalEveryLineStartsWithItsSyslogLevel() {
    assertEquals("<6>ready\n", StderrLoggerFinder.line(Level.INFO, "ready", true));
    assertEquals("<4>odd\n", StderrLoggerFinder.line(Level.WARNING, "odd", true));
    assertEquals("<3>one\n<3>two\n", StderrLoggerFinder.line(Level.ERROR, "one\ntwo", true));
    assertEquals("<7>m\n", StderrLoggerFinder.line(Level.DEBUG, "m", true));
  }
}
