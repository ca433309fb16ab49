// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * DPDK's testpmd in its interactive mode: one thread forwards, the other one waits for our commands
 * and sleeps meanwhile.
 */
final class Testpmd implements AutoCloseable {
  private static final Pattern CYCLES =
      Pattern.compile("CPU cycles/packet=([0-9.]+).* at (\\d+) MHz");
  private static final double MOST_NANOS = 100_000;
  private static final long ROUND_MILLIS = 5;
  private static final String PROMPT = "testpmd> ";

  private static final AtomicInteger STARTED = new AtomicInteger();

  private final Child child;

  private Testpmd(Child child) {
    this.child = child;
  }

  /**
   * Starts it; forwarding is not started.
   *
   * @param prefix of the command, such as {@code ip netns exec NAME}
   * @param processor of the forwarding thread; the other one is on processor 1
   * @param environment options of DPDK's environment: devices, memory
   * @param arguments of testpmd itself
   */
  static Testpmd start(
      List<String> prefix,
      int processor,
      List<String> environment,
      List<String> arguments,
      Path log)
      throws IOException {
    List<String> command = new ArrayList<>(prefix);
    // Its answers would otherwise wait for a full buffer.
    command.addAll(List.of("stdbuf", "-oL", "dpdk-testpmd"));
    command.addAll(List.of("--lcores", "0@1,1@" + processor, "--no-pci", "--no-telemetry"));
    String name =
        "vnmbench%d.%d".formatted(ProcessHandle.current().pid(), STARTED.incrementAndGet());
    command.addAll(List.of("--file-prefix", name));
    command.addAll(environment);
    command.addAll(List.of("--", "-i", "--nb-cores=1", "--no-mlockall"));
    command.addAll(arguments);
    Testpmd testpmd = new Testpmd(Child.start("0,1", command, log));
    try {
      testpmd.child.readUntil("", PROMPT);
      return testpmd;
    } catch (IOException e) {
      testpmd.close();
      String why = Files.isRegularFile(log) ? Files.readString(log) : "";
      System.err.println(String.join(" ", command) + "\n" + why);
      throw new IOException("testpmd does not start", e);
    }
  }

  /** Runs one of its commands; what it prints. */
  String command(String command) throws IOException {
    child.write(command);
    // It repeats what it reads, and may show its prompt more than once before.
    return child.readUntil(command, PROMPT);
  }

  /** Starts over in this mode, with frames of this size where it makes them. */
  void forward(String mode, int bytes, String start) throws IOException {
    command("stop");
    command("set fwd " + mode);
    command("set txpkts " + bytes);
    command(start);
  }

  /** Begins to count processor cycles. */
  void startCycles() throws IOException {
    command("set record-core-cycles on");
    // A round that began before this counts from the beginning of time: it has to end first.
    Contender.pause(ROUND_MILLIS);
    command("clear fwd stats all");
  }

  /**
   * Nanoseconds per frame since then: of the rounds that found something, where it only sends of
   * all rounds.
   */
  OptionalDouble endCycles() throws IOException {
    Matcher matcher = CYCLES.matcher(command("show fwd stats all"));
    command("set record-core-cycles off");
    if (!matcher.find()) {
      return OptionalDouble.empty();
    }
    double cycles = Double.parseDouble(matcher.group(1));
    double megahertz = Double.parseDouble(matcher.group(2));
    double nanos = cycles * 1000 / megahertz;
    // Now and then it divides by the packets of an instant.
    return nanos > MOST_NANOS ? OptionalDouble.empty() : OptionalDouble.of(nanos);
  }

  /** A number that it prints for a command. */
  long number(String command, String label) throws IOException {
    String said = command(command);
    Matcher found = Pattern.compile(Pattern.quote(label) + "\\s*(\\d+)").matcher(said);
    if (!found.find()) {
      throw new IOException("testpmd does not tell " + label + ": " + said);
    }
    return Long.parseLong(found.group(1));
  }

  /** A counter of all ports in what {@code show port stats all} says. */
  static long sum(String label, String stats) {
    return Pattern.compile(Pattern.quote(label) + "\\s*(\\d+)")
        .matcher(stats)
        .results()
        .mapToLong(result -> Long.parseLong(result.group(1)))
        .sum();
  }

  Child child() {
    return child;
  }

  @Override
  public void close() {
    try {
      if (child.isAlive()) {
        child.go();
        child.write("quit");
      }
    } catch (IOException gone) {
      // Ends anyway.
    }
    child.close();
  }
}
