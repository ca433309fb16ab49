// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
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
  void aThreadThatDiesEndsTheProcessWith70AndOneLine() throws Exception {
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var path = System.getProperty("java.class.path");
    Process process =
        new ProcessBuilder(java, "-cp", path, Dying.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(70, process.waitFor(), output);
    assertTrue(output.contains("the thread weak died"), output);
    assertTrue(output.contains("on purpose at "), output);
    assertEquals(1, output.lines().filter(line -> line.startsWith("vhost-netmap:")).count());
  }

  /** A process that would go on without one of its threads. */
  static final class Dying {
    private Dying() {}

    public static void main(String[] args) throws InterruptedException {
      Thread.setDefaultUncaughtExceptionHandler(Main::end);
      Runnable death =
          () -> {
            throw new IllegalStateException("on purpose");
          };
      new Thread(death, "weak").start();
      new CountDownLatch(1).await();
    }
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
