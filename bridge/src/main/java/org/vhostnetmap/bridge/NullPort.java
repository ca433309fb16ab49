// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import java.util.Optional;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.RingMemory;

/**
 * A port that forgets: copies each frame into a netmap ring as a NIC's sink would, and gives the
 * slots back at once. What it costs is what the way to a ring costs whose buffers are in the cache,
 * as those of a NIC are that drains it quickly. One frame in a thousand is looked at first, so that
 * it can tell that they did arrive.
 */
public final class NullPort extends Port {
  /** Few enough that all frames stay in the cache; enough for a frame cut into 255. */
  private static final int SLOTS = 256;

  /** A cache line off the power of two, at which all frames would share a few sets of the cache. */
  private static final int STRIDE = NetmapAbi.DEFAULT_BUFFER_BYTES + 64;

  private final RingMemory memory = newRing();
  private final QueueCounters counters = new QueueCounters("out", false);
  private final FrameCheck check = new FrameCheck(memory.ring(), counters);
  private final NetmapSink sink = new NetmapSink(memory.ring(), this::forget, counters);

  /** Fails when there is no memory. */
  public NullPort(String name) throws ErrnoException {
    super(name);
  }

  private static RingMemory newRing() throws ErrnoException {
    return new RingMemory(SLOTS, STRIDE);
  }

  private void forget() {
    check.beforeSync();
    memory.giveAll();
  }

  @Override
  List<Source> sources() {
    return List.of();
  }

  @Override
  int busySources() {
    return 0;
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  PortStatus status(int macAddresses) {
    return new PortStatus(
        name(),
        "null",
        state(),
        macAddresses,
        List.of(counters.status()),
        Optional.empty(),
        Optional.empty());
  }

  private String state() {
    String state = "forgets every frame";
    return check.checked == 0
        ? state
        : state + "; " + check.checked + " looked at, " + check.wrong + " with a wrong checksum";
  }

  @Override
  public void close() {
    memory.close();
  }
}
