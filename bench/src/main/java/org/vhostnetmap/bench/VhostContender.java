// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
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
  private static final long SETTLE_MILLIS = 20;
  private static final int PATIENCE = 50;

  private final BackEnd backEnd;
  private final VirtioOptions options;
  private final Testpmd frontEnd;
  private Pattern counted = SENT;
  private boolean cold = true;

  /**
   * Connects a front-end to a back-end that listens, and stops both. Closes both when it fails.
   *
   * @param sockets one port of the front-end for each
   */
  VhostContender(
      BackEnd backEnd, Path folder, Hugepages memory, List<Path> sockets, VirtioOptions options)
      throws IOException {
    this.backEnd = backEnd;
    this.options = options;
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

  @Override
  public List<Child> children() {
    return List.of(backEnd.child(), frontEnd.child());
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
    if (DEBUG) {
      System.err.printf("%s %.2f M/s%n", backEnd.getClass().getSimpleName(), rate / 1e6);
    }
    return Math.max(1, rate);
  }

  /**
   * Fails when the back-end did not get what the front-end sent, or the other way round, since both
   * began, or lost some. It ends the traffic.
   */
  void requireArrived(VhostRow.Kind kind) throws IOException {
    go();
    frontEnd.command("stop");
    String wrong = "";
    // Under way for a moment; what never arrives would be a lost wake-up.
    for (int i = 0; i < PATIENCE && (i == 0 || !wrong.isEmpty()); i++) {
      Contender.pause(SETTLE_MILLIS);
      wrong = missing(kind);
    }
    stop();
    if (!wrong.isEmpty()) {
      throw new IOException(backEnd.getClass().getSimpleName() + ": " + wrong);
    }
  }

  private String missing(VhostRow.Kind kind) throws IOException {
    BackEnd.Arrived arrived = backEnd.arrived(kind);
    String stats = frontEnd.command("show port stats all");
    long sent = Testpmd.sum("TX-packets:", stats);
    long received = Testpmd.sum("RX-packets:", stats);
    // What is made for a guest lies in its ring when the guest stops looking.
    long inRings = (long) kind.guests * options.pairs() * VirtioOptions.QUEUE_SIZE;
    if (arrived.fromGuests() != sent) {
      return sent + " frames sent, " + arrived.fromGuests() + " arrived";
    }
    if (arrived.toGuests() < received || arrived.toGuests() > received + inRings) {
      return arrived.toGuests() + " frames delivered, " + received + " received";
    }
    return "";
  }

  /** What a frame costs the back-end itself and the front-end, in a window of its own. */
  Costs costs(Timing timing) throws IOException {
    go();
    Contender.pause(timing.settleMillis());
    frontEnd.startCycles();
    backEnd.startOwn();
    Contender.pause(timing.windowMillis());
    BackEnd.Own own = backEnd.endOwn();
    OptionalDouble frontEndNanos = frontEnd.endCycles();
    stop();
    return new Costs(own, frontEndNanos);
  }

  /** Of one frame; in nanoseconds of the front-end's rounds that found something, if known. */
  record Costs(BackEnd.Own own, OptionalDouble frontEndNanos) {
    String frontEnd() {
      return frontEndNanos.isEmpty() ? "-" : "%.1f".formatted(frontEndNanos.getAsDouble());
    }
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
