// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/** The program in a process of its own, from the classes under test. */
final class ProgramRun implements AutoCloseable {
  private final Process process;
  private final List<String> out = new CopyOnWriteArrayList<>();
  private final List<String> err = new CopyOnWriteArrayList<>();
  private final List<Thread> readers = new ArrayList<>();

  private ProgramRun(Process process) {
    this.process = process;
    readers.add(Thread.startVirtualThread(() -> copy(process.inputReader(UTF_8), out)));
    readers.add(Thread.startVirtualThread(() -> copy(process.errorReader(UTF_8), err)));
  }

  static ProgramRun start(Map<String, String> environment, String... args) throws IOException {
    return new ProgramRun(builder(environment, args).start());
  }

  /** As {@link #start}, with standard error in a file instead of {@link #err}. */
  static ProgramRun start(Map<String, String> environment, Path err, String... args)
      throws IOException {
    return new ProgramRun(builder(environment, args).redirectError(err.toFile()).start());
  }

  private static ProcessBuilder builder(Map<String, String> environment, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(args));
    var builder = new ProcessBuilder(command);
    for (String name : List.of("JOURNAL_STREAM", "NOTIFY_SOCKET", "JAVA_TOOL_OPTIONS")) {
      builder.environment().remove(name);
    }
    builder.environment().putAll(environment);
    return builder;
  }

  static ProgramRun toItsEnd(String... args) throws IOException, InterruptedException {
    return toItsEnd(Map.of(), args);
  }

  static ProgramRun toItsEnd(Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    try (var run = start(environment, args)) {
      run.status();
      return run;
    }
  }

  /** Waits until standard error contains {@code words}. */
  void waitFor(String words) {
    Awaitility.await(words)
        .atMost(Duration.ofSeconds(20))
        .until(() -> err().contains(words) || !process.isAlive());
    if (!err().contains(words)) {
      throw new AssertionError("ended without \"" + words + "\": " + err());
    }
  }

  long pid() {
    return process.pid();
  }

  void terminate() {
    process.destroy();
  }

  /** Waits for the end; the exit status as the parent sees it. */
  int status() throws InterruptedException {
    if (!process.waitFor(20, TimeUnit.SECONDS)) {
      throw new AssertionError("still running: " + err);
    }
    for (Thread reader : readers) {
      reader.join();
    }
    return process.exitValue();
  }

  String out() {
    return String.join("\n", out);
  }

  String err() {
    return String.join("\n", err);
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }

  private static void copy(BufferedReader from, List<String> to) {
    from.lines().forEach(to::add);
  }
}
