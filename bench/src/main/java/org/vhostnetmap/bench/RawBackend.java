// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A back-end under test: a program on processor 0 that listens on a socket for each guest of this
 * process, which is on processor 1.
 */
final class RawBackend implements AutoCloseable {
  private static final String PROGRAM = System.getProperty("program", "scripts/vhost-netmap");

  /** Memory of DPDK's program. */
  private static final int MEBIBYTES = 512;

  /** Huge pages for that. */
  static final int PAGES = MEBIBYTES / 2;

  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

  private final Child program;
  private final List<Path> sockets;
  private final Path folder;

  private RawBackend(Child program, List<Path> sockets, Path folder) {
    this.program = program;
    this.sockets = sockets;
    this.folder = folder;
  }

  /**
   * Ours, as a user starts it; the environment variable BENCH_OPTIONS adds words to its command
   * line.
   *
   * @param words options, and ports besides the guests
   * @param jvm options of the JVM
   */
  static RawBackend ours(int guests, List<String> words, String jvm) throws IOException {
    Path folder = Files.createTempDirectory("vnmraw");
    List<Path> sockets = sockets(folder, guests);
    List<String> command = new ArrayList<>(List.of("env"));
    String inherited = System.getenv().getOrDefault("VHOST_NETMAP_JAVA_OPTS", "");
    command.add("VHOST_NETMAP_JAVA_OPTS=" + inherited + " " + jvm);
    command.addAll(List.of(PROGRAM, "--control=" + folder.resolve("control")));
    sockets.forEach(socket -> command.add("vhost:" + socket));
    command.addAll(words);
    String more = System.getenv().getOrDefault("BENCH_OPTIONS", "").strip();
    if (!more.isEmpty()) {
      command.addAll(List.of(more.split(" +", -1)));
    }
    return started("0", command, sockets, folder);
  }

  /** DPDK's testpmd: io forwarding between each two guests; its other thread only waits. */
  static RawBackend testpmd(int guests, Hugepages memory) throws IOException {
    Path folder = Files.createTempDirectory("vnmraw");
    List<Path> sockets = sockets(folder, guests);
    List<String> command = new ArrayList<>(List.of("dpdk-testpmd", "--lcores", "0@1,1@0"));
    command.addAll(memory.options(MEBIBYTES));
    command.add("--no-pci");
    command.addAll(List.of("--file-prefix", folder.getFileName().toString()));
    for (int i = 0; i < guests; i++) {
      command.addAll(List.of("--vdev", "net_vhost" + i + ",iface=" + sockets.get(i)));
    }
    command.addAll(List.of("--", "--stats-period", "3600", "--nb-cores=1", "--forward-mode=io"));
    command.addAll(List.of("--total-num-mbufs=32768"));
    return started("0,1", command, sockets, folder);
  }

  private static List<Path> sockets(Path folder, int guests) {
    return IntStream.range(0, guests).mapToObj(i -> folder.resolve("guest" + i)).toList();
  }

  private static RawBackend started(
      String processors, List<String> command, List<Path> sockets, Path folder) throws IOException {
    Path log = folder.resolve("log");
    RawBackend backend = new RawBackend(Child.start(processors, command, log), sockets, folder);
    long start = System.nanoTime();
    while (!sockets.stream().allMatch(Files::exists)) {
      if (!backend.program.isAlive() || System.nanoTime() - start > PATIENCE_NANOS) {
        String said = Files.readString(log);
        backend.close();
        throw new IOException("a back-end under test does not come up: " + said.strip());
      }
      Contender.pause(20);
    }
    // The socket is there a moment before somebody listens.
    Contender.pause(200);
    return backend;
  }

  /** The socket for a guest, from 0 on. */
  Path socket(int guest) {
    return sockets.get(guest);
  }

  void stop() throws IOException {
    program.stop();
  }

  void go() throws IOException {
    program.go();
  }

  /** Fails when the program has ended by itself. */
  void requireAlive() throws IOException {
    if (!program.isAlive()) {
      throw new IOException("the back-end under test has ended");
    }
  }

  /** What the program's status command prints; ours only. */
  String status() throws IOException {
    return TestNetwork.run(List.of(PROGRAM, "status", "--json", "--control", folder + "/control"));
  }

  /** Processor time of all its threads so far, in nanoseconds. */
  long processorNanos() throws IOException {
    long nanos = 0;
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + program.pid() + "/task"))) {
      for (Path thread : threads.toList()) {
        String text = Files.readString(thread.resolve("schedstat"));
        nanos += Long.parseLong(text.substring(0, text.indexOf(' ')));
      }
    }
    return nanos;
  }

  @Override
  public void close() {
    try {
      program.go();
    } catch (IOException gone) {
      // It ended by itself.
    }
    program.terminate();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      System.err.println("clearing " + folder + ": " + e.getMessage());
    }
  }
}
