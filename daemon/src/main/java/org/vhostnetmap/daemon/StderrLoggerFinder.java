// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.MessageFormat;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.ResourceBundle;
import org.jspecify.annotations.Nullable;

/**
 * Where {@link System.Logger} goes: one line per message to standard error, by a thread of its own,
 * so that a pipe nobody reads holds up no thread that logs. Where standard error is the journal, a
 * line starts with its syslog level as {@code <N>}, which the journal reads and removes.
 *
 * <p>Loggers of the JDK itself show warnings only. Any thread.
 */
public final class StderrLoggerFinder extends System.LoggerFinder {
  private static final boolean JOURNAL =
      isJournal(System.getenv("JOURNAL_STREAM"), Path.of("/proc/self/fd/2"));

  private static final Duration FLUSH_PATIENCE = Duration.ofMillis(200);

  // Not System.err: one write per line, so that lines of two threads never mix.
  @SuppressWarnings("resource") // standard error stays open as long as the process
  private static final FileOutputStream STDERR = new FileOutputStream(FileDescriptor.err);

  private static final LineWriter WRITER =
      new LineWriter(STDERR, lost -> line(Level.WARNING, lost + " lines lost here", JOURNAL));

  private static volatile Level threshold = Level.INFO;

  /** Called by {@link java.util.ServiceLoader}. */
  public StderrLoggerFinder() {}

  /** Shows messages of this level and worse, from now on. */
  static void level(Level level) {
    threshold = level;
  }

  /**
   * To be called before the process ends: waits until what was logged is written, unless nobody
   * reads it.
   */
  static void flush() {
    WRITER.flush(FLUSH_PATIENCE);
  }

  /**
   * Whether {@code stderr} is the stream that systemd means with {@code JOURNAL_STREAM}, its device
   * and inode (systemd.exec(5)). Children of a service inherit the variable, and may write
   * elsewhere.
   */
  static boolean isJournal(@Nullable String journalStream, Path stderr) {
    if (journalStream == null) {
      return false;
    }
    try {
      Map<String, Object> file = Files.readAttributes(stderr, "unix:dev,ino");
      return journalStream.equals(file.get("dev") + ":" + file.get("ino"));
    } catch (IOException e) {
      return false; // closed, or no /proc: plain lines are right for all
    }
  }

  @Override
  public System.Logger getLogger(String name, Module module) {
    return new StderrLogger(name, name.startsWith("org.vhostnetmap"));
  }

  /** The line for one message, with its line feed. */
  static String line(Level level, String message, boolean journal) {
    String oneLine = message.stripTrailing();
    if (journal) {
      // A line of its own per line of the message: the journal has a level for each.
      String prefix = "<" + syslog(level) + ">";
      return prefix + oneLine.replace("\n", "\n" + prefix) + "\n";
    }
    String word =
        switch (level) {
          case WARNING -> "warning: ";
          case DEBUG, TRACE -> "debug: ";
          default -> "";
        };
    return "vhost-netmap: " + word + oneLine + "\n";
  }

  private static int syslog(Level level) {
    return switch (level) {
      case ERROR -> 3;
      case WARNING -> 4;
      case INFO -> 6;
      default -> 7;
    };
  }

  private static void write(Level level, String message) {
    WRITER.write(line(level, message, JOURNAL));
  }

  private record StderrLogger(String name, boolean ours) implements System.Logger {
    @Override
    public String getName() {
      return name;
    }

    @Override
    public boolean isLoggable(Level level) {
      Level lowest = ours ? threshold : Level.WARNING;
      return level != Level.OFF && level.compareTo(lowest) >= 0;
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String message,
        @Nullable Throwable thrown) {
      if (isLoggable(level)) {
        write(level, (message == null ? "" : message) + tail(thrown));
      }
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String format,
        @Nullable Object @Nullable ... params) {
      if (isLoggable(level)) {
        String text = format == null ? "" : format;
        boolean plain = params == null || params.length == 0;
        write(level, plain ? text : new MessageFormat(text, Locale.ROOT).format(params));
      }
    }

    private static String tail(@Nullable Throwable thrown) {
      if (thrown == null) {
        return "";
      }
      if (threshold.compareTo(Level.DEBUG) > 0 && !(thrown instanceof RuntimeException)) {
        return ": " + thrown.getMessage();
      }
      var trace = new StringWriter();
      thrown.printStackTrace(new PrintWriter(trace));
      return ": " + trace;
    }
  }
}
