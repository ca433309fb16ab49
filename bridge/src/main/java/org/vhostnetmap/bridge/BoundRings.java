// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;

/** The rings of a netmap port's opens, as sinks and sources of the bridge. Control thread. */
final class BoundRings implements AutoCloseable {
  /** The RX rings of one open, with the sinks over its TX rings. */
  private record Receiving(
      NetmapPort open, List<NetmapRing> rings, List<NetmapSink> sinks, QueueCounters counters) {}

  private final NetmapBindings bindings;
  private final int headerBytes;
  private final List<Receiving> receiving = new ArrayList<>();
  private final List<NetmapSink> sinks = new ArrayList<>();

  /**
   * Over opens that are this object's from now on.
   *
   * @param sends whether frames may be put into TX rings at all
   * @param headerBytes of the virtio-net header before each frame, or 0 for none
   */
  BoundRings(NetmapBindings bindings, boolean sends, int headerBytes, RingCounters counters) {
    this.bindings = bindings;
    this.headerBytes = headerBytes;
    for (NetmapPort open : bindings.opens()) {
      List<NetmapSink> own = new ArrayList<>();
      for (NetmapRing ring : both(open.txRings(), open.hostTxRings())) {
        QueueCounters out = counters.out(sinks.size() + own.size());
        own.add(new NetmapSink(ring, open::txSync, out, open.longestChain(), headerBytes));
      }
      List<NetmapRing> rx = both(open.rxRings(), open.hostRxRings());
      if (!rx.isEmpty()) {
        receiving.add(new Receiving(open, rx, own, counters.in(receiving.size())));
      }
      if (rx.isEmpty() && !receiving.isEmpty()) {
        receiving.getFirst().sinks.addAll(own); // somebody has to look after them
      }
      if (sends) {
        sinks.addAll(own);
      }
    }
  }

  private static List<NetmapRing> both(List<NetmapRing> nic, List<NetmapRing> host) {
    List<NetmapRing> rings = new ArrayList<>(nic);
    rings.addAll(host);
    return rings;
  }

  NetmapBindings bindings() {
    return bindings;
  }

  List<NetmapSink> sinks() {
    return sinks;
  }

  /**
   * New sources, which start awake; those that were made before may not be used any more.
   *
   * @param lossless whether who sends waits for room, as on a pipe, instead of losing frames
   */
  List<Source> newSources(boolean lossless) {
    List<Source> sources = new ArrayList<>();
    for (Receiving rx : receiving) {
      sources.add(
          new NetmapReceive(rx.open, rx.rings, rx.sinks, lossless, headerBytes, rx.counters));
    }
    return sources;
  }

  /** Bytes of a frame that one buffer holds; 0 without rings. */
  int bufferBytes() {
    return receiving.isEmpty() ? 0 : receiving.getFirst().rings.getFirst().bufferBytes();
  }

  @Override
  public void close() {
    bindings.close();
  }
}
