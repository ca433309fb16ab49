// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** vhost-netmap, as a user starts it, on processor 0 with all its threads. */
final class OurBackEnd implements BackEnd {
  private static final Pattern FEATURES = Pattern.compile("\"features\":\\[([^]]*)]");
  private static final Pattern FRAMES = Pattern.compile("\"delivered\":(\\d+)");
  private static final Pattern BUSY = Pattern.compile("\"busy_ns\":(\\d+)");
  private static final Pattern POLLS = Pattern.compile("\"polls\":(\\d+)");
  private static final Pattern EMPTY_POLLS = Pattern.compile("\"empty_polls\":(\\d+)");
  private static final Pattern UNEXPLAINED = Pattern.compile("\"unexplained\":(-?\\d+)");
  private static final Pattern DROPPED = Pattern.compile("\"dropped\":(\\d+)");
  private static final Pattern FLOODS = Pattern.compile("\"flood_copies\":(\\d+)");
  private static final Pattern FROM_GUEST =
      Pattern.compile("\"name\":\"tx\\d+\",\"direction\":\"from_port\",\"frames\":(\\d+)");
  private static final Pattern TO_GUEST =
      Pattern.compile("\"name\":\"rx\\d+\",\"direction\":\"to_port\",\"frames\":(\\d+)");

  /** By null: and only once it has looked. */
  private static final Pattern LOOKED_AT = Pattern.compile("looked at, (\\d+) with a wrong");

  private static final long START_MILLIS = 30_000;

  private final Child child;
  private final Path control;
  private long frames;
  private long busyNanos;
  private long bursts;
  private long started;

  private OurBackEnd(Child child, Path control) {
    this.child = child;
    this.control = control;
  }

  /** Starts it with these ports; sockets and log are in the folder. */
  static OurBackEnd start(Path folder, List<String> ports) throws IOException {
    Path control = folder.resolve("control");
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("program", "scripts/vhost-netmap"));
    command.add("--control=" + control);
    command.addAll(ports);
    Child child = Child.start("0", command, folder.resolve("ours.log"));
    long end = System.nanoTime() + START_MILLIS * 1_000_000;
    while (!Files.exists(control)) {
      if (!child.isAlive() || System.nanoTime() > end) {
        child.terminate();
        throw new IOException("vhost-netmap does not start; see " + folder.resolve("ours.log"));
      }
      Contender.pause(20);
    }
    return new OurBackEnd(child, control);
  }

  @Override
  public Child child() {
    return child;
  }

  /** What {@code vhost-netmap status --json} says. */
  String status() throws IOException {
    try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(control))) {
      channel.write(ByteBuffer.wrap("status json\n".getBytes(UTF_8)));
      return new String(Channels.newInputStream(channel).readAllBytes(), UTF_8);
    }
  }

  @Override
  public void requireNegotiated(VirtioOptions options) throws IOException {
    Matcher matcher = FEATURES.matcher(status());
    if (!matcher.find()) {
      throw new IOException("vhost-netmap negotiated nothing");
    }
    do {
      String features = matcher.group(1);
      boolean same =
          features.contains("RING_PACKED") == options.packed()
              && features.contains("IN_ORDER") == options.inOrder()
              && features.contains("MRG_RXBUF") == options.mergeable();
      if (!same) {
        throw new IOException("vhost-netmap negotiated " + features + ", not " + options);
      }
    } while (matcher.find());
  }

  @Override
  public Arrived arrived(VhostRow.Kind kind) throws IOException {
    String status = status();
    Matcher looked = LOOKED_AT.matcher(status);
    if (looked.find() && Long.parseLong(looked.group(1)) > 0) {
      throw new IOException("frames arrived broken: " + looked.group(1));
    }
    if (number(UNEXPLAINED, status) != 0) {
      throw new IOException("frames without a fate: " + status);
    }
    // What a third port tells everybody may find the ring of a guest full that only sends.
    long dropped = number(DROPPED, status) - number(FLOODS, status);
    if (dropped > 0 && kind != VhostRow.Kind.RX) {
      throw new IOException(dropped + " frames dropped");
    }
    return new Arrived(sum(FROM_GUEST, status), sum(TO_GUEST, status));
  }

  private static long sum(Pattern pattern, String status) {
    return pattern.matcher(status).results().mapToLong(r -> Long.parseLong(r.group(1))).sum();
  }

  private static long number(Pattern pattern, String status) {
    Matcher matcher = pattern.matcher(status);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : -1;
  }

  @Override
  public void startOwn() throws IOException {
    String status = status();
    started = System.nanoTime();
    frames = number(FRAMES, status);
    busyNanos = number(BUSY, status);
    bursts = bursts(status);
  }

  private static long bursts(String status) {
    return sum(POLLS, status) - sum(EMPTY_POLLS, status);
  }

  @Override
  public Own endOwn() throws IOException {
    String status = status();
    double nanos = System.nanoTime() - started;
    long busy = number(BUSY, status) - busyNanos;
    long moved = number(FRAMES, status) - frames;
    if (busyNanos < 0 || moved <= 0) {
      return Own.UNKNOWN;
    }
    long found = Math.max(1, bursts(status) - bursts);
    return new Own(
        OptionalDouble.of((double) busy / moved),
        OptionalDouble.of(busy / nanos),
        OptionalDouble.of((double) moved / found));
  }

  @Override
  public void close() {
    try {
      if (child.isAlive()) {
        child.go();
      }
    } catch (IOException gone) {
      // Ends anyway.
    }
    child.terminate();
  }
}
