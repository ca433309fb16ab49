// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;

/**
 * The RX rings of one open of a netmap port as a source. While it rests the device tells news at
 * the open's descriptor; frames that are still on their way out of the same open are looked after
 * by the clock, because a device need not tell when they are gone.
 */
final class NetmapReceive extends NetmapSource {
  private static final long SHORTEST_REST_NANOS = 1_000_000;
  private static final long LONGEST_REST_NANOS = 128_000_000;

  /** A source that never rests looks after frames on their way out so often. */
  private static final int LOOKS_TO_SETTLE = 64;

  private final NetmapPort port;
  private final NetmapSink[] sinks; // an array: walking a list allocates
  private final boolean lossless;
  private long restNanos = SHORTEST_REST_NANOS;
  private int looks;
  private boolean armed = true; // a source before this one may have left the open so

  /**
   * A source over an open.
   *
   * @param sinks whose frames are to be looked after
   * @param lossless whether who sends waits for room, as on a pipe, instead of losing frames
   * @param headerBytes of the virtio-net header before each frame, or 0 for none
   */
  NetmapReceive(
      NetmapPort port,
      List<NetmapRing> rings,
      List<NetmapSink> sinks,
      boolean lossless,
      int headerBytes,
      QueueCounters counters) {
    super(rings, port::rxSync, counters, headerBytes);
    this.port = port;
    this.sinks = sinks.toArray(new NetmapSink[0]);
    this.lossless = lossless;
  }

  @Override
  public void peek(Burst burst) {
    if (armed) {
      wake();
    }
    if (++looks % LOOKS_TO_SETTLE == 0) {
      settle();
    }
    super.peek(burst);
  }

  @Override
  public int readyFd() {
    return port.fd();
  }

  @Override
  public long rest() {
    boolean sending = settle();
    port.arm();
    armed = true;
    port.rxSync();
    if (hasNews()) {
      wake();
      return 0;
    }
    if (!sending) {
      restNanos = SHORTEST_REST_NANOS;
      return UNTIL_READY;
    }
    long nanos = restNanos;
    restNanos = Math.min(2 * restNanos, LONGEST_REST_NANOS);
    return nanos;
  }

  private boolean settle() {
    boolean sending = false;
    for (NetmapSink sink : sinks) {
      sending |= sink.settle();
    }
    return sending;
  }

  @Override
  public void wake() {
    port.disarm();
    armed = false;
  }

  /** A NIC goes on receiving: what its full ring loses, nobody counts here. */
  @Override
  public boolean mayWait() {
    return lossless || hasRoom();
  }
}
