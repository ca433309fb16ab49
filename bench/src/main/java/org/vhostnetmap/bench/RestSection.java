// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the program costs before the first frame: start, memory; and what a frame leaves behind. */
final class RestSection implements Section {
  private static final int STARTS = 11;
  private static final int QUICK_STARTS = 3;
  private static final long RESIDENT_AFTER_MILLIS = 1000;
  private static final long PATIENCE_MILLIS = 30_000;
  private static final Pattern RESIDENT = Pattern.compile("(?:VmRSS|HugetlbPages):\\s*(\\d+) kB");

  /** {@link AllocationCheck}'s: path, frames, bytes, bytes a frame. */
  private static final Pattern ALLOCATED = Pattern.compile("(?m)^.{40} +\\d+ +\\d+ +(\\d+\\.\\d+)");

  /** Starts a back-end that makes this socket. */
  private interface Start {
    Child start(Path folder, Path socket) throws IOException;
  }

  /** What one start took, milliseconds, and the memory afterwards, MiB. */
  private record Sample(double start, double resident) {}

  @Override
  public String name() {
    return "rest";
  }

  @Override
  public Set<String> words() {
    return Set.of("start", "allocation");
  }

  @Override
  public void run(Selection selection, Report report) throws IOException {
    boolean starts = selection.wants("rest", "start");
    boolean allocation =
        selection.wants("rest", "allocation")
            && (!selection.quick() || !selection.words().isEmpty());
    if (!starts && !allocation) {
      return;
    }
    report.title("At rest");
    report.table("what", "ours", "DPDK", "DPDK/ours");
    if (starts) {
      starts(selection, report);
    }
    if (allocation) {
      allocation(report);
    }
  }

  private static void starts(Selection selection, Report report) throws IOException {
    int count = selection.quick() ? QUICK_STARTS : STARTS;
    report.progress(count + " starts");
    List<Sample> ours = new ArrayList<>();
    List<Sample> dpdk = new ArrayList<>();
    try (Hugepages memory = new Hugepages(VhostContender.MEBIBYTES / 2)) {
      for (int i = 0; i < count; i++) {
        ours.add(sample(RestSection::ours));
        dpdk.add(sample((folder, socket) -> dpdk(folder, socket, memory)));
      }
    }
    double mine = median(ours, true);
    double theirs = median(dpdk, true);
    report.row(
        "start to listening",
        theirs / mine,
        1,
        "from exec to a socket that front-ends can connect to, ms",
        "%.0f".formatted(mine),
        "%.0f".formatted(theirs),
        "%.2f".formatted(theirs / mine));
    double mineMemory = median(ours, false);
    double theirMemory = median(dpdk, false);
    report.row(
        "resident memory (DPDK: with %d MiB of huge pages for its frames), MiB"
            .formatted(VhostContender.MEBIBYTES),
        "%.0f".formatted(mineMemory),
        "%.0f".formatted(theirMemory),
        "%.2f".formatted(theirMemory / mineMemory));
  }

  private static double median(List<Sample> samples, boolean start) {
    return Quartiles.median(
        samples.stream().mapToDouble(start ? Sample::start : Sample::resident).toArray());
  }

  private static Child ours(Path folder, Path socket) throws IOException {
    return Child.start(
        "0",
        List.of(
            System.getProperty("program", "scripts/vhost-netmap"),
            "--control=" + folder.resolve("control"),
            "vhost:" + socket,
            "null:"),
        folder.resolve("log"));
  }

  private static Child dpdk(Path folder, Path socket, Hugepages memory) throws IOException {
    List<String> command = new ArrayList<>(List.of("dpdk-testpmd", "--lcores", "0@0,1@0"));
    command.addAll(List.of("--no-pci", "--no-telemetry", "--file-prefix", "vnmbenchrest"));
    command.addAll(memory.options(VhostContender.MEBIBYTES));
    command.addAll(List.of("--vdev", "net_vhost0,iface=" + socket, "--", "-i", "--no-mlockall"));
    command.addAll(VhostContender.testpmdArguments(1));
    return Child.start("0", command, folder.resolve("log"));
  }

  private static Sample sample(Start how) throws IOException {
    Scratch scratch = new Scratch();
    Path folder = scratch.path();
    Path socket = folder.resolve("guest.sock");
    long started = System.nanoTime();
    Child child = how.start(folder, socket);
    try {
      while (!Files.exists(socket)) {
        if (!child.isAlive() || System.nanoTime() - started > PATIENCE_MILLIS * 1_000_000) {
          throw new IOException("it does not start: " + Files.readString(folder.resolve("log")));
        }
        Contender.pause(1);
      }
      double millis = (System.nanoTime() - started) / 1e6;
      Contender.pause(RESIDENT_AFTER_MILLIS);
      return new Sample(millis, resident(child));
    } finally {
      child.terminate();
      scratch.close();
    }
  }

  private static double resident(Child child) throws IOException {
    Path status = Path.of("/proc/" + child.pid() + "/status");
    Matcher matcher = RESIDENT.matcher(String.join("\n", Files.readAllLines(status)));
    double kibibytes = 0;
    while (matcher.find()) {
      kibibytes += Long.parseLong(matcher.group(1));
    }
    return kibibytes / 1024;
  }

  private static void allocation(Report report) throws IOException {
    report.progress("allocation");
    // On both processors: guest and worker both look all the time, and would wait for each other.
    List<String> command = new ArrayList<>(List.of("taskset", "-c", "0,1"));
    command.addAll(Child.java(List.of(AllocationCheck.class.getName())));
    String said = TestNetwork.run(command);
    double most = 0;
    int paths = 0;
    for (Matcher matcher = ALLOCATED.matcher(said); matcher.find(); paths++) {
      most = Math.max(most, Double.parseDouble(matcher.group(1)));
    }
    report.row(
        "Java heap allocated per frame, bytes, most of %d paths (`scripts/allocation`)"
            .formatted(paths),
        "%.3f".formatted(most),
        "-",
        "-");
  }
}
