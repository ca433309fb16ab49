// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.System.Logger.Level;
import java.time.Duration;

/** The program. */
public final class Main {
  private static final System.Logger LOG = System.getLogger(Main.class.getName());
  private static final Duration STATUS_PATIENCE = Duration.ofSeconds(5);

  private Main() {}

  /** See {@code --help}; ends the process with a status of {@code sysexits.h}. */
  public static void main(String[] args) {
    Thread.setDefaultUncaughtExceptionHandler(Main::end);
    ExitStatus status = run(args, System.out);
    System.out.flush();
    StderrLoggerFinder.flush();
    System.exit(status.code());
  }

  /**
   * A thread died of a mistake of ours. Half a back-end would take frames and lose them; the whole
   * one is started again by its service manager, and front-ends reconnect.
   */
  static void end(Thread thread, Throwable mistake) {
    String text = "the thread " + thread.getName() + " died of a mistake of this program: ";
    LOG.log(Level.ERROR, text + mistake + at(mistake));
    StderrLoggerFinder.flush();
    Runtime.getRuntime().halt(ExitStatus.SOFTWARE.code());
  }

  private static String at(Throwable mistake) {
    StackTraceElement[] trace = mistake.getStackTrace();
    return trace.length == 0 ? "" : " at " + trace[0];
  }

  /** Every failure becomes one line on standard error and a status; none escapes. */
  @SuppressWarnings("CatchingUnchecked") // the last place where a mistake of ours can be told
  static ExitStatus run(String[] args, PrintStream out) {
    try {
      return run(CommandReader.read(args), out);
    } catch (Failure e) {
      LOG.log(Level.ERROR, e.getMessage());
      return e.status();
    } catch (RuntimeException | Error e) {
      LOG.log(Level.ERROR, "a mistake of this program; please report it with these lines", e);
      return ExitStatus.SOFTWARE;
    }
  }

  private static ExitStatus run(Command command, PrintStream out) throws Failure {
    switch (command) {
      case Command.Run run -> {
        return Daemon.run(run.options());
      }
      case Command.Status status -> out.print(status(status));
      case Command.Example example -> out.print(ExampleText.of(example));
      case Command.Help() -> out.print(HelpText.TEXT);
      case Command.Version() -> out.println("vhost-netmap " + Version.text());
      // vhost-user "Backend program conventions", vhost-user.json: "net" has no further features.
      case Command.PrintCapabilities() -> out.println(capabilities());
    }
    return ExitStatus.OK;
  }

  private static String status(Command.Status command) throws Failure {
    try {
      var client = new ControlClient(STATUS_PATIENCE);
      String answer = new StatusCommand(client, ControlPath.folders()).answer(command);
      return answer.endsWith("\n") ? answer : answer + "\n";
    } catch (IOException e) {
      throw new Failure(ExitStatus.OS_ERROR, "can't find out who we are: " + e.getMessage(), e);
    }
  }

  private static String capabilities() {
    Json json = new Json().object().name("type").value("net").name("features").array();
    return json.end().end().toString();
  }
}
