// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;

/**
 * Those statuses that no command line can bring about on a healthy machine; {@link ProcessTest} has
 * the others.
 */
class ExitStatusTest {
  @Test
  void aMistakeOfOursEndsWith70() {
    var broken =
        new PrintStream(new ByteArrayOutputStream(), false, StandardCharsets.UTF_8) {
          @Override
          public void print(String text) {
            throw new IllegalStateException("on purpose");
          }
        };
    assertEquals(70, Main.run(new String[] {"--help"}, broken).code());
  }

  @Test
  void anErrorOfTheHostThatNobodyExpectedEndsWith71() {
    Failure failure = Failure.of(new ErrnoException("epoll_create1", Errno.EMFILE), "");
    assertEquals(71, failure.status().code());
    assertTrue(failure.getMessage().contains("EMFILE"), failure.getMessage());
  }

  @Test
  void theRightToATapIsExplainedWithTheCommandThatGivesIt() {
    var tap = new PortSpec.Tap("tap7");
    Failure failure = Advice.on(tap, new ErrnoException("TUNSETIFF", Errno.EPERM));
    assertEquals(77, failure.status().code());
    assertTrue(failure.getMessage().contains("ip tuntap add dev tap7 mode tap user"));
    assertEquals(75, Advice.on(tap, new ErrnoException("TUNSETIFF", Errno.EBUSY)).status().code());
    assertEquals(78, Advice.on(tap, new ErrnoException("TUNSETIFF", Errno.EINVAL)).status().code());
    assertEquals(69, Advice.on(tap, new ErrnoException("open", Errno.ENOENT)).status().code());
  }
}
