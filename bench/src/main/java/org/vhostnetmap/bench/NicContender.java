// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A program on one NIC, and the one that sends to it if it receives. */
final class NicContender implements Contender<NicContender.Window>, AutoCloseable {
  private static final Path NO_LOG = Path.of("/dev/null");

  private final TestNetwork network;
  private final String side;
  private final List<Child> children = new ArrayList<>();
  private final List<Testpmd> testpmds = new ArrayList<>();
  private final boolean receives;
  private @Nullable Child load;

  /** Frames a second, and nanoseconds of the processor time of the program under test for each. */
  record Window(double rate, double user, double kernel) {}

  /**
   * Starts and stops it.
   *
   * @param side ours or dpdk
   * @param way AF_XDP or AF_PACKET
   */
  NicContender(TestNetwork network, String side, String way, boolean receives, int bytes)
      throws IOException {
    this.network = network;
    this.side = side;
    this.receives = receives;
    try {
      if (side.equals("ours")) {
        load = load(way, receives ? "rx" : "tx", bytes);
        children.add(load);
      } else {
        testpmd(side + 0, way, receives ? "rxonly" : "txonly", bytes, 0);
      }
      if (receives) {
        testpmd(side + 1, "AF_XDP", "txonly", bytes, 1);
      }
      stop();
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  private Child load(String way, String mode, int bytes) throws IOException {
    List<String> command = new ArrayList<>(network.command());
    String main = NetmapLoad.class.getName();
    command.addAll(Child.java(List.of(main, side + 0, way, mode, Integer.toString(bytes))));
    Child child = Child.start("0", command, NO_LOG);
    String ready = child.readLine();
    if (!ready.contains(way)) {
      child.close();
      throw new IOException("our port does not come up on " + side + 0 + ": " + ready);
    }
    return child;
  }

  private void testpmd(String nic, String way, String mode, int bytes, int processor)
      throws IOException {
    String driver = way.equals("AF_XDP") ? "net_af_xdp0" : "net_af_packet0";
    Testpmd testpmd =
        Testpmd.start(
            network.command(),
            processor,
            List.of("--no-huge", "-m", "512", "--vdev", driver + ",iface=" + nic),
            List.of("--total-num-mbufs=32768", "--forward-mode=" + mode, "--txpkts=" + bytes),
            NO_LOG);
    testpmds.add(testpmd);
    children.add(testpmd.child());
    testpmd.command("start");
  }

  /** What is sent counts where it arrives, what is received counts in the program. */
  private long count() throws IOException {
    if (!receives) {
      return network.received(side + 1);
    }
    if (load == null) {
      return testpmds.getFirst().number("show port stats 0", "RX-packets:");
    }
    load.write("");
    return Long.parseLong(load.readLine());
  }

  @Override
  public void go() throws IOException {
    for (Child child : children) {
      child.go();
    }
  }

  @Override
  public void stop() throws IOException {
    for (Child child : children) {
      child.stop();
    }
  }

  @Override
  public List<Child> children() {
    return children;
  }

  @Override
  public Window measure(long millis) throws IOException {
    Child measured = children.getFirst();
    long frames = -count();
    long nanos = -System.nanoTime();
    Child.Time before = measured.time();
    Contender.pause(millis);
    frames += count();
    nanos += System.nanoTime();
    Child.Time after = measured.time();
    double perFrame = 1e9 / Math.max(1, frames);
    return new Window(
        frames * 1e9 / nanos,
        (after.user() - before.user()) * perFrame,
        (after.kernel() - before.kernel()) * perFrame);
  }

  @Override
  public void close() {
    testpmds.reversed().forEach(Testpmd::close);
    if (load != null) {
      load.close();
    }
  }
}
