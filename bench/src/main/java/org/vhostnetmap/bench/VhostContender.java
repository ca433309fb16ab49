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

  /** What PktgenPort sends from. */
  private static final String PKTGEN = "02:00:00:00:00:01";

  /** Bursts of 32 frames in each direction: fewer than a ring holds, so that none gets lost. */
  private static final int BOUNCING = 4;

  private static final boolean DEBUG = Boolean.getBoolean("windows");
  private static final double UNDISTURBED = 0.75;
  private static final int RETAKES = 3;

  private final BackEnd backEnd;
  private final Testpmd frontEnd;
  private Pattern counted = SENT;
  private boolean cold = true;
  private int retaken;

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

  /** Whether it never had traffic. */
  boolean isCold() {
    return cold;
  }

  /** Starts other traffic; both are stopped again. */
  void traffic(VhostRow.Kind kind, int bytes) throws IOException {
    go();
    cold = false;
    counted = kind == VhostRow.Kind.TX || kind == VhostRow.Kind.BRIDGE ? SENT : RECEIVED;
    backEnd.traffic(kind, bytes);
    switch (kind) {
      case TX -> frontEnd.forward("txonly", bytes, "start");
      case RX -> frontEnd.forward("rxonly", bytes, "start");
      case BRIDGE -> {
        frontEnd.command("set eth-peer 0 " + PKTGEN);
        frontEnd.forward("txonly", bytes, "start");
      }
      case GUESTS -> frontEnd.forward("io", bytes, "start tx_first " + BOUNCING);
    }
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

  /** Frames a second, in a window in which both sides had their processors for themselves. */
  @Override
  public Double measure(long millis) throws IOException {
    for (int i = 0; ; i++) {
      double nanos = -System.nanoTime();
      double front = -frontEnd.child().time().total();
      double back = -backEnd.child().time().total();
      double rate = count(millis);
      front += frontEnd.child().time().total();
      back += backEnd.child().time().total();
      nanos += System.nanoTime();
      double share = Math.min(front, back) * 1e9 / nanos;
      if (DEBUG) {
        System.err.printf(
            "%s %.2f M/s, %.2f and %.2f of the processors%n",
            backEnd.getClass().getSimpleName(),
            rate / 1e6,
            front * 1e9 / nanos,
            back * 1e9 / nanos);
      }
      if (share > UNDISTURBED || i == RETAKES) {
        return Math.max(1, rate);
      }
      retaken++;
    }
  }

  private double count(long millis) throws IOException {
    frontEnd.command("show port stats all");
    Contender.pause(millis);
    Matcher matcher = counted.matcher(frontEnd.command("show port stats all"));
    double rate = 0;
    while (matcher.find()) {
      rate += Double.parseDouble(matcher.group(1));
    }
    return rate;
  }

  /** How many windows were taken again because other work had the processors. */
  int retaken() {
    return retaken;
  }

  /** What a frame costs the back-end itself, in a window of its own. */
  BackEnd.Own own(VhostRow.Kind kind, Timing timing) throws IOException {
    go();
    Contender.pause(timing.settleMillis());
    backEnd.startOwn();
    Contender.pause(timing.windowMillis());
    BackEnd.Own own = backEnd.endOwn();
    backEnd.requireHonest(kind);
    stop();
    return own;
  }

  @Override
  public void close() {
    try {
      go(); // the front-end asks the back-end for its rings before it ends
    } catch (IOException gone) {
      // Ends anyway.
    }
    frontEnd.close();
    backEnd.close();
  }
}
