// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StderrLoggerFinderTest {
  @TempDir Path folder;
  private Path stderr;

  @BeforeEach
  void create() throws IOException {
    stderr = Files.createFile(folder.resolve("stderr"));
  }

  @Test
  void aLineNamesTheProgramAndWarningsAsSuch() {
    assertEquals("vhost-netmap: ready\n", StderrLoggerFinder.line(Level.INFO, "ready", false));
    assertEquals(
        "vhost-netmap: warning: odd\n", StderrLoggerFinder.line(Level.WARNING, "odd", false));
    assertEquals("vhost-netmap: debug: m\n", StderrLoggerFinder.line(Level.DEBUG, "m\n", false));
  }

  @Test
  void theJournalIsKnownByDeviceAndInode() throws IOException {
    Map<String, Object> file = Files.readAttributes(stderr, "unix:dev,ino");
    assertTrue(StderrLoggerFinder.isJournal(file.get("dev") + ":" + file.get("ino"), stderr));
    assertFalse(StderrLoggerFinder.isJournal(file.get("dev") + ":1", stderr));
    assertFalse(StderrLoggerFinder.isJournal("", stderr));
    assertFalse(StderrLoggerFinder.isJournal(null, stderr));
    assertFalse(StderrLoggerFinder.isJournal("8:1", Path.of("/no/such/file")));
  }

  @Test
  void underTheJournalEveryLineStartsWithItsSyslogLevel() {
    assertEquals("<6>ready\n", StderrLoggerFinder.line(Level.INFO, "ready", true));
    assertEquals("<4>odd\n", StderrLoggerFinder.line(Level.WARNING, "odd", true));
    assertEquals("<3>one\n<3>two\n", StderrLoggerFinder.line(Level.ERROR, "one\ntwo", true));
    assertEquals("<7>m\n", StderrLoggerFinder.line(Level.DEBUG, "m", true));
  }
}
