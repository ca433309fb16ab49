// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * A child process that can't outlive this one: {@link #close} ends it, and so does the end of the
 * JVM. Only this process and its own descendants are ever signalled.
 */
final class ManagedProcess implements AutoCloseable {
  private static final Duration GRACE = Duration.ofSeconds(5);
  private static final Set<ManagedProcess> RUNNING = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> RUNNING.forEach(ManagedProcess::kill), "end children"));
  }

  private final Process process;
  private final List<String> command;
  private final Path log;

  private ManagedProcess(Process process, List<String> command, Path log) {
    this.process = process;
    this.command = command;
    this.log = log;
    RUNNING.add(this);
  }

  /** Starts a process whose output and errors go to {@code log}. */
  static ManagedProcess start(List<String> command, Map<String, String> environment, Path log)
      throws IOException {
    ProcessBuilder builder = builder(command, environment, log);
    builder.redirectErrorStream(true).redirectOutput(Redirect.appendTo(log.toFile()));
    return new ManagedProcess(builder.start(), command, log);
  }

  /** Starts a process that is talked to by its standard input and output; errors go to the log. */
  static ManagedProcess startPiped(List<String> command, Map<String, String> environment, Path log)
      throws IOException {
    return new ManagedProcess(builder(command, environment, log).start(), command, log);
  }

  private static ProcessBuilder builder(
      List<String> command, Map<String, String> environment, Path log) {
    var builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    return builder.redirectError(Redirect.appendTo(log.toFile()));
  }

  Process process() {
    return process;
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Everything it wrote to its log so far. */
  String log() throws IOException {
    return Files.exists(log) ? Files.readString(log) : "";
  }

  /** Throws, with the end of the log, when the process is no more. */
  void requireAlive() throws IOException {
    if (!process.isAlive()) {
      throw new IOException(
          "ended with status "
              + process.exitValue()
              + ": "
              + String.join(" ", command)
              + "\n"
              + tail());
    }
  }

  /** The last lines of the log, for messages. */
  String tail() throws IOException {
    List<String> lines = log().lines().toList();
    return String.join("\n", lines.subList(Math.max(0, lines.size() - 30), lines.size()));
  }

  /** Waits for the end; the exit status, or -1 when the time was over first. */
  int await(Duration time) {
    try {
      if (!process.waitFor(time.toMillis(), TimeUnit.MILLISECONDS)) {
        return -1;
      }
      RUNNING.remove(this);
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return -1;
    }
  }

  /** SIGTERM; after the grace SIGKILL. The exit status (143 when the signal itself ended it). */
  int terminate(Duration grace) {
    process.destroy();
    int status = await(grace);
    if (status != -1) {
      return status;
    }
    kill();
    return await(GRACE);
  }

  /** SIGKILL, for the process and what it started. */
  void kill() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      terminate(GRACE);
    }
    RUNNING.remove(this);
  }
}
