// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/**
 * The life of the back-end as a process: start, tell the service manager, wait, end. It stays in
 * the foreground; SIGTERM, SIGINT and SIGHUP end it with status 0.
 */
final class Daemon {
  private static final System.Logger LOG = System.getLogger(Daemon.class.getName());

  /** Long enough for any orderly end, short enough that nobody reaches for SIGKILL. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private Daemon() {}

  /**
   * Returns when no guest can come any more; what is open is closed by the shutdown hook, as after
   * a signal.
   */
  static ExitStatus run(Options options) throws Failure {
    StderrLoggerFinder.level(options.logLevel());
    var systemd = new SystemdNotifier(System.getenv("NOTIFY_SOCKET"));
    var open = new CloseStack();
    // The JVM's own answer to SIGTERM is status 143; the hook runs before that and halts with ours.
    var hook = new Thread(() -> end(open, systemd), "shutdown");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      CompletableFuture<?> over = Wiring.start(options, open);
      systemd.tell("READY=1");
      over.join();
      if (!open.isClosed()) {
        LOG.log(Level.INFO, "the front-end has gone and no other can come");
      }
      return ExitStatus.OK;
    } catch (Failure | RuntimeException e) {
      abandon(open, hook);
      throw e;
    }
  }

  private static void end(CloseStack open, SystemdNotifier systemd) {
    ExitStatus status =
        within(
            PATIENCE,
            () -> {
              systemd.tell("STOPPING=1");
              open.close();
            });
    StderrLoggerFinder.flush();
    Runtime.getRuntime().halt(status.code());
  }

  /**
   * Has another thread end all in good order. Whatever hangs there, a worker or the service
   * manager's socket, this one goes on after {@code patience}.
   */
  static ExitStatus within(Duration patience, Runnable orderlyEnd) {
    var closer = new Thread(orderlyEnd, "closer");
    closer.setDaemon(true);
    closer.start();
    try {
      if (closer.join(patience)) {
        return ExitStatus.OK;
      }
    } catch (InterruptedException e) {
      // Nobody interrupts this thread; if somebody did, it would be to end sooner.
    }
    LOG.log(Level.ERROR, "the end took longer than " + patience.toMillis() + " ms; giving up");
    return ExitStatus.SOFTWARE;
  }

  private static void abandon(CloseStack open, Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // A signal was faster; the failure is only what its closing did to us, and the hook ends the
      // process.
      waitForever();
    }
    open.close();
  }

  private static void waitForever() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
