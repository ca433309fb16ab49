// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Our NIC ports against DPDK's drivers of the same kind, on two veth pairs in one namespace.
///
/// ```
///   TX   program under test on ours0 / dpdk0  --->  ours1 / dpdk1: the kernel counts and drops
///   RX   program under test on ours0 / dpdk0  <---  ours1 / dpdk1: testpmd txonly with net_af_xdp
/// ```
///
/// Both sides stay up for a whole row. Windows of a second alternate, the other side's programs
/// being stopped meanwhile, and each pair of neighbours gives one ratio: what the machine does
/// besides hits both. The program under test is on processor 0, all others are on processor 1.
public final class NicComparison {
  private static final int WINDOWS = 20;
  private static final int QUICK_WINDOWS = 5;
  private static final long WINDOW_MILLIS = 1000;
  private static final long SETTLE_MILLIS = 200;
  private static final long WARM_UP_MILLIS = 5000;

  private final TestNetwork network;
  private final int windows;

  private NicComparison(TestNetwork network, int windows) {
    this.network = network;
    this.windows = windows;
  }

  /** One side of a row: the program under test first, and what sends to it. */
  private record Side(String nic, boolean receives, List<LoadProgram> programs)
      implements AutoCloseable {
    void stop() throws IOException {
      for (LoadProgram program : programs) {
        program.stop();
      }
    }

    void go() throws IOException {
      for (LoadProgram program : programs) {
        program.go();
      }
    }

    @Override
    public void close() {
      programs.reversed().forEach(LoadProgram::close);
    }
  }

  /** One window: frames a second, and nanoseconds of processor time for a frame. */
  private record Window(double rate, double user, double kernel) {}

  /** Arguments: --quick for fewer windows; words that a row must have, such as AF_XDP or TX. */
  public static void main(String[] arguments) throws Exception {
    List<String> words = new ArrayList<>(List.of(arguments));
    boolean quick = words.remove("--quick");
    int windows = quick ? QUICK_WINDOWS : WINDOWS;
    System.out.printf(
        "%s, kernel %s, Java %s, DPDK %s; warm-up %d s, then %d pairs of windows of %d ms%n",
        DateTimeFormatter.ISO_LOCAL_DATE.format(ZonedDateTime.now(ZoneOffset.UTC)),
        System.getProperty("os.version"),
        Runtime.version(),
        System.getProperty("dpdk.version", "of an unknown version"),
        WARM_UP_MILLIS / 1000,
        windows,
        WINDOW_MILLIS);
    System.out.println(
        "| way | direction | bytes | ours, Mframes/s | DPDK | ours/DPDK, quartiles"
            + " | ours: user + kernel, ns/frame | DPDK |");
    System.out.println("|---|---|---|---|---|---|---|---|");
    int rows = 0;
    int below = 0;
    try (TestNetwork network = new TestNetwork()) {
      NicComparison comparison = new NicComparison(network, windows);
      for (String way : List.of("AF_XDP", "AF_PACKET")) {
        for (boolean receives : new boolean[] {false, true}) {
          for (int bytes : new int[] {64, 1514}) {
            String row = way + " | " + (receives ? "RX" : "TX") + " | " + bytes;
            if (List.of(row.split(" \\| ", -1)).containsAll(words)) {
              rows++;
              below += comparison.measure(row, way, receives, bytes) ? 0 : 1;
            }
          }
        }
      }
    }
    System.out.println(below + " of " + rows + " rows below 1.0");
  }

  private boolean measure(String row, String way, boolean receives, int bytes) throws IOException {
    try (Side ours = side("ours", way, receives, bytes);
        Side dpdk = side("dpdk", way, receives, bytes)) {
      ours.stop();
      dpdk.stop();
      for (Side side : List.of(ours, dpdk)) {
        window(side, WARM_UP_MILLIS);
      }
      List<Window> mine = new ArrayList<>();
      List<Window> theirs = new ArrayList<>();
      for (int i = 0; i < windows; i++) {
        // Who comes first changes, so that a drift of the machine favours nobody.
        if (i % 2 == 0) {
          mine.add(window(ours, WINDOW_MILLIS));
        }
        theirs.add(window(dpdk, WINDOW_MILLIS));
        if (i % 2 == 1) {
          mine.add(window(ours, WINDOW_MILLIS));
        }
      }
      return print(row, mine, theirs);
    }
  }

  private Side side(String name, String way, boolean receives, int bytes) throws IOException {
    List<LoadProgram> programs = new ArrayList<>();
    Side side = new Side(name, receives, programs);
    try {
      if (name.equals("ours")) {
        programs.add(LoadProgram.ours(network, name + 0, way, receives ? "rx" : "tx", bytes));
      } else {
        programs.add(
            LoadProgram.testpmd(network, name + 0, way, receives ? "rxonly" : "txonly", bytes, 0));
      }
      if (receives) {
        programs.add(LoadProgram.testpmd(network, name + 1, "AF_XDP", "txonly", bytes, 1));
      }
      side.stop();
      return side;
    } catch (IOException e) {
      side.close();
      throw e;
    }
  }

  /** What is sent counts where it arrives, what is received counts in the program. */
  private long count(Side side) throws IOException {
    return side.receives ? side.programs.get(0).count() : network.received(side.nic + 1);
  }

  private Window window(Side side, long millis) throws IOException {
    LoadProgram program = side.programs.get(0);
    side.go();
    pause(SETTLE_MILLIS);
    long frames = -count(side);
    long nanos = -System.nanoTime();
    LoadProgram.Time before = program.time();
    pause(millis);
    frames += count(side);
    nanos += System.nanoTime();
    LoadProgram.Time after = program.time();
    side.stop();
    double perFrame = 1e9 / Math.max(1, frames);
    return new Window(
        frames * 1e9 / nanos,
        (after.user() - before.user()) * perFrame,
        (after.kernel() - before.kernel()) * perFrame);
  }

  private static void pause(long millis) {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  private static boolean print(String row, List<Window> mine, List<Window> theirs) {
    double[] ratios = new double[mine.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = mine.get(i).rate() / theirs.get(i).rate();
    }
    Arrays.sort(ratios);
    System.out.printf(
        "| %s | %.3f | %.3f | **%.2f** (%.2f to %.2f) | %.0f + %.0f | %.0f + %.0f |%n",
        row,
        median(mine.stream().mapToDouble(Window::rate).toArray()) / 1e6,
        median(theirs.stream().mapToDouble(Window::rate).toArray()) / 1e6,
        quantile(ratios, 0.5),
        quantile(ratios, 0.25),
        quantile(ratios, 0.75),
        median(mine.stream().mapToDouble(Window::user).toArray()),
        median(mine.stream().mapToDouble(Window::kernel).toArray()),
        median(theirs.stream().mapToDouble(Window::user).toArray()),
        median(theirs.stream().mapToDouble(Window::kernel).toArray()));
    return quantile(ratios, 0.5) >= 1;
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return quantile(values, 0.5);
  }

  private static double quantile(double[] sorted, double share) {
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
