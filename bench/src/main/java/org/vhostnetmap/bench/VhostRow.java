// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A row of {@link VhostSection}: what is negotiated, where the frames go, and how long they are.
 */
record VhostRow(VirtioOptions options, Kind kind, int bytes) {
  /** Where the frames go. */
  enum Kind {
    /** From the guest to a port that forgets them. */
    TX(1),
    /** From a port that makes them to the guest. */
    RX(1),
    /** As TX, on a learning bridge with a third port; DPDK has no such thing and does TX. */
    BRIDGE(1),
    /** From one guest to the other and back. */
    GUESTS(2);

    /** The front-end's ports. */
    final int guests;

    Kind(int guests) {
      this.guests = guests;
    }
  }

  /** From guest to guest we copy once, DPDK twice. */
  private static final double WANTED_OF_ONE_COPY = 1.3;

  /** Each kind of ring at 64 and 1514 bytes; the plainest and the newest one at all sizes. */
  static List<VhostRow> all() {
    List<VhostRow> rows = new ArrayList<>();
    for (boolean packed : new boolean[] {false, true}) {
      var plain = new VirtioOptions(packed, false, true, 1);
      var inOrder = new VirtioOptions(packed, true, true, 1);
      simple(rows, plain, packed ? ENDS : SIZES);
      simple(rows, inOrder, packed ? SIZES : ENDS);
      add(rows, inOrder, Kind.GUESTS, ENDS);
    }
    add(rows, new VirtioOptions(false, true, true, 1), Kind.BRIDGE, ENDS);
    simple(rows, new VirtioOptions(false, false, false, 1), ENDS);
    simple(rows, new VirtioOptions(true, false, false, 1), ENDS);
    simple(rows, new VirtioOptions(false, false, true, 2), ENDS);
    return rows;
  }

  private static final int[] SIZES = {64, 256, 512, 1514};
  private static final int[] ENDS = {64, 1514};

  private static void simple(List<VhostRow> rows, VirtioOptions options, int... sizes) {
    add(rows, options, Kind.TX, sizes);
    add(rows, options, Kind.RX, sizes);
  }

  private static void add(List<VhostRow> rows, VirtioOptions options, Kind kind, int... sizes) {
    for (int bytes : sizes) {
      rows.add(new VhostRow(options, kind, bytes));
    }
  }

  /**
   * Those of a quick run: the smallest and the largest frames of the plainest and the newest rings.
   */
  boolean isQuick() {
    boolean rings = options.packed() == options.inOrder();
    boolean plain = options.mergeable() && options.pairs() == 1;
    return switch (kind) {
      case TX, RX -> isEnd() && rings && plain;
      case BRIDGE -> bytes == 64;
      case GUESTS -> bytes == 64 && !options.packed();
    };
  }

  /** Whether its frames are the smallest or the largest. */
  boolean isEnd() {
    return bytes == SIZES[0] || bytes == SIZES[SIZES.length - 1];
  }

  List<String> words() {
    List<String> words = new ArrayList<>(List.of("vhost"));
    words.addAll(options.words());
    words.add(kind.name());
    words.add(Integer.toString(bytes));
    return words;
  }

  String name() {
    return String.join(" ", words());
  }

  /** Our ports, the guests' being on these sockets. */
  List<String> ports(List<Path> sockets) {
    List<String> ports = new ArrayList<>();
    sockets.forEach(socket -> ports.add("vhost:" + socket + ",queues=" + options.pairs()));
    switch (kind) {
      case TX -> ports.add("null:");
      // testpmd sends on each of its queues; for us it is flows that spread over them.
      case RX -> ports.add("pktgen:len=" + bytes + (options.pairs() == 1 ? "" : ",flows=64"));
      // What the guest sends goes to the second port, whose address the bridge learns from its
      // frames.
      case BRIDGE -> ports.addAll(List.of("pktgen:rate=10", "null:"));
      case GUESTS -> {}
    }
    return ports;
  }

  /** The ratio to reach. */
  double wanted() {
    return kind == Kind.GUESTS ? WANTED_OF_ONE_COPY : 1;
  }
}
