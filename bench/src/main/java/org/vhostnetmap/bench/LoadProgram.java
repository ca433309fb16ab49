// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A program that sends or receives on one NIC, as fast as it can, on one processor. */
final class LoadProgram implements AutoCloseable {
  private static final Pattern RECEIVED = Pattern.compile("RX-packets: (\\d+)");
  private static final Pattern LAST_LINE = Pattern.compile("Tx-pps: .*");
  private static final Pattern NUMBER = Pattern.compile("(\\d+)");

  private final Process process;
  private final BufferedReader output;
  private final Writer input;
  private final String question;
  private final Pattern answer;
  private final Pattern end;

  /** Processor time used so far. */
  record Time(double user, double kernel) {}

  private LoadProgram(List<String> command, String question, Pattern answer, Pattern end)
      throws IOException {
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    output = process.inputReader();
    input = process.outputWriter();
    this.question = question;
    this.answer = answer;
    this.end = end;
  }

  /** Ours: {@code way} is AF_XDP or AF_PACKET, {@code mode} tx or rx. */
  static LoadProgram ours(TestNetwork network, String nic, String way, String mode, int bytes)
      throws IOException {
    List<String> command = new ArrayList<>(network.command());
    command.addAll(List.of("taskset", "-c", "0", ProcessHandle.current().info().command().get()));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(NetmapLoad.class.getName(), nic, way, mode, Integer.toString(bytes)));
    LoadProgram program = new LoadProgram(command, "", NUMBER, NUMBER);
    String ready = program.output.readLine();
    if (ready == null || !ready.contains(way)) {
      program.close();
      throw new IOException("our port does not come up on " + nic + ": " + ready);
    }
    return program;
  }

  /**
   * DPDK's testpmd.
   *
   * @param mode txonly or rxonly
   * @param processor of the thread that moves frames; its other thread is on processor 1
   */
  static LoadProgram testpmd(
      TestNetwork network, String nic, String way, String mode, int bytes, int processor)
      throws IOException {
    String driver = way.equals("AF_XDP") ? "net_af_xdp0" : "net_af_packet0";
    List<String> command = new ArrayList<>(network.command());
    // Its answers would otherwise wait for a full buffer.
    command.addAll(List.of("taskset", "-c", "0,1", "stdbuf", "-oL", "dpdk-testpmd"));
    command.addAll(List.of("--lcores", "0@1,1@" + processor, "--no-huge", "-m", "512"));
    command.addAll(List.of("--no-pci", "--file-prefix", network.name() + nic));
    command.addAll(List.of("--vdev", driver + ",iface=" + nic, "--", "-i", "--auto-start"));
    command.addAll(List.of("--nb-cores=1", "--total-num-mbufs=32768"));
    command.addAll(List.of("--forward-mode=" + mode, "--txpkts=" + bytes));
    LoadProgram program = new LoadProgram(command, "show port stats 0", RECEIVED, LAST_LINE);
    try {
      program.count();
      return program;
    } catch (IOException e) {
      program.close();
      throw new IOException("testpmd does not come up on " + nic + " with " + driver, e);
    }
  }

  /** Frames that it has received so far; for one that sends, of no meaning. */
  long count() throws IOException {
    input.write(question + "\n");
    input.flush();
    long frames = -1;
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      Matcher matcher = answer.matcher(line);
      if (matcher.find()) {
        frames = Long.parseLong(matcher.group(1));
      }
      if (end.matcher(line).find()) {
        return frames;
      }
    }
    throw new IOException("it ended");
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

  Time time() throws IOException {
    String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
    String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return new Time(Long.parseLong(words[11]) / 100.0, Long.parseLong(words[12]) / 100.0);
  }

  @Override
  public void close() {
    try {
      if (process.isAlive()) {
        go();
      }
      input.close();
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw new UncheckedIOException(new IOException(e));
    }
  }
}
