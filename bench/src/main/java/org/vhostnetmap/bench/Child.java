// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process that is asked by its standard input, answers on its standard output, and can be
 * stopped. It does not outlive this one.
 */
final class Child implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 30;
  private final Process process;
  private final OutputStream in;
  private final AtExit.Undoing ending;
  private final BlockingQueue<Integer> out = new LinkedBlockingQueue<>();

  /** Processor time used so far, seconds. */
  record Time(double user, double kernel) {
    double total() {
      return user + kernel;
    }
  }

  private Child(Process process) {
    this.process = process;
    in = process.getOutputStream();
    ending = process::destroyForcibly;
    InputStream said = process.getInputStream();
    Thread.ofPlatform().daemon().name("output of " + process.pid()).start(() -> read(said));
    AtExit.add(ending);
  }

  /**
   * Starts a command on these processors.
   *
   * @param processors as taskset understands them
   * @param log where its errors go
   */
  static Child start(String processors, List<String> command, Path log) throws IOException {
    // A stopped process would outlive us if we were killed.
    List<String> whole = new ArrayList<>(List.of("setpriv", "--pdeathsig", "KILL"));
    whole.addAll(List.of("taskset", "-c", processors));
    whole.addAll(command);
    return new Child(new ProcessBuilder(whole).redirectError(log.toFile()).start());
  }

  /** Starts another JVM on this one's class path, with the main class and its arguments. */
  static List<String> java(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElse("java"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(arguments);
    return command;
  }

  private void read(InputStream said) {
    try {
      for (int c = said.read(); c != -1; c = said.read()) {
        out.add(c);
      }
    } catch (IOException gone) {
      // The same as its end.
    }
    out.add(-1);
  }

  /** Writes a line. */
  void write(String line) throws IOException {
    in.write((line + "\n").getBytes(ISO_8859_1));
    in.flush();
  }

  /** What it says up to and with {@code end}, after {@code echo}; fails when it does not. */
  String readUntil(String echo, String end) throws IOException {
    var text = new StringBuilder();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    try {
      for (int from = -1; from < 0 || text.indexOf(end, from) < 0; from = text.indexOf(echo)) {
        Integer c = out.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (c == null || c == -1) {
          throw new IOException("a program under test said only: " + text);
        }
        text.append((char) c.intValue());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return text.toString();
  }

  String readLine() throws IOException {
    return readUntil("", "\n").strip();
  }

  void stop() throws IOException {
    signal("STOP");
  }

  void go() throws IOException {
    signal("CONT");
  }

  private void signal(String name) throws IOException {
    TestNetwork.run(List.of("kill", "-" + name, Long.toString(process.pid())));
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  Time time() throws IOException {
    return time(Long.toString(process.pid()));
  }

  /** That of a process, or of {@code self}. */
  static Time time(String pid) throws IOException {
    String stat = Files.readAllLines(Path.of("/proc/" + pid + "/stat")).getFirst();
    String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return new Time(Long.parseLong(words[11]) / 100.0, Long.parseLong(words[12]) / 100.0);
  }

  /** Waits for its end, and ends it when it does not come. */
  @Override
  public void close() {
    try {
      if (process.isAlive()) {
        go();
      }
      in.close();
    } catch (IOException gone) {
      process.destroyForcibly();
    }
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    AtExit.remove(ending);
  }

  /** SIGTERM, then as {@link #close}. */
  void terminate() {
    process.destroy();
    close();
  }
}
