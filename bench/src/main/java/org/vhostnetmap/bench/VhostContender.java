// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A back-end on processor 0 and the virtio-user front-end on processor 1, which counts: what its
 * driver sent or received, by its own clock.
 */
final class VhostContender implements Contender<Double>, AutoCloseable {
  /** Memory of one testpmd. */
  static final int MEBIBYTES = 96;

  private static final Pattern RECEIVED = Pattern.compile("Rx-pps:\\s*(\\d+)");
  private static final Pattern SENT = Pattern.compile("Tx-pps:\\s*(\\d+)");

  private final BackEnd backEnd;
  private final Testpmd frontEnd;
  private Pattern counted = SENT;

  /**
   * Connects a front-end to a back-end that listens, and stops both. Closes both when it fails.
   *
   * @param sockets one port of the front-end for each
   */
  VhostContender(
      BackEnd backEnd, Path folder, Hugepages memory, List<Path> sockets, VirtioOptions options)
      throws IOException {
    this.backEnd = backEnd;
    try {
      List<String> environment = new ArrayList<>(memory.options(MEBIBYTES));
      for (int i = 0; i < sockets.size(); i++) {
        String device = "net_virtio_user" + i + ",path=" + sockets.get(i) + options.device();
        environment.addAll(List.of("--vdev", device));
      }
      frontEnd =
          Testpmd.start(
              List.of(),
              1,
              environment,
              testpmdArguments(options.pairs()),
              folder.resolve("frontend.log"));
    } catch (IOException e) {
      backEnd.close();
      throw e;
    }
    try {
      backEnd.requireNegotiated(options);
      stop();
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  static List<String> testpmdArguments(int pairs) {
    return List.of("--total-num-mbufs=16384", "--rxq=" + pairs, "--txq=" + pairs);
  }

  BackEnd backEnd() {
    return backEnd;
  }

  /** Has the front-end send frames of this size, or receive. It stays stopped. */
  void traffic(boolean receives, int bytes) throws IOException {
    go();
    frontEnd.forward(receives ? "rxonly" : "txonly", bytes, "start");
    backEnd.traffic(receives, bytes);
    counted = receives ? RECEIVED : SENT;
    stop();
  }

  /** Bounces the frames between the front-end's two ports, so many bursts of 32 of each. */
  void bounce(int bytes, int bursts) throws IOException {
    go();
    backEnd.bounce();
    frontEnd.forward("io", bytes, "start tx_first " + bursts);
    counted = RECEIVED;
    stop();
  }

  @Override
  public void go() throws IOException {
    backEnd.child().go();
    frontEnd.child().go();
  }

  @Override
  public void stop() throws IOException {
    frontEnd.child().stop();
    backEnd.child().stop();
  }

  /** Frames a second. */
  @Override
  public Double measure(long millis) throws IOException {
    frontEnd.command("show port stats all");
    Contender.pause(millis);
    Matcher matcher = counted.matcher(frontEnd.command("show port stats all"));
    double rate = 0;
    while (matcher.find()) {
      rate += Double.parseDouble(matcher.group(1));
    }
    return Math.max(1, rate);
  }

  /** What a frame costs the back-end itself, in a window of its own. */
  BackEnd.Own own(Timing timing) throws IOException {
    go();
    Contender.pause(timing.settleMillis());
    backEnd.startOwn();
    Contender.pause(timing.windowMillis());
    BackEnd.Own own = backEnd.endOwn();
    stop();
    return own;
  }

  @Override
  public void close() {
    frontEnd.close();
    backEnd.close();
  }
}
