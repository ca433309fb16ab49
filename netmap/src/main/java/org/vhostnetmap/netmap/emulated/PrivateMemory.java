// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.netmap.NetmapAbi;

/**
 * How the memory of a port is cut that shares it with nobody but its pipes and zero-copy monitors.
 */
public final class PrivateMemory {
  /** Room for two pipes, both ends, as netmap reckons. */
  private static final int HEADROOM = 4 * 2;

  /** Opens at the same time: a ring pair each, pipes and monitors. */
  private static final int INTERFACES = 256;

  private static final int INTERFACE_BYTES = 1024;
  private static final int MOST_EXTRA = 128 * 4096;
  private static final int FEWEST_RING_BYTES = 20_480;

  private PrivateMemory() {}

  /** netmap's own sum: netmap_mem_private_new. Pages come at the first touch. */
  public static Pool.Geometry of(Adapter.Config config, int extraBuffers) {
    return of(config, extraBuffers, HEADROOM);
  }

  /**
   * The same with room for more.
   *
   * @param headroom how many more rings of either direction
   */
  public static Pool.Geometry of(Adapter.Config config, int extraBuffers, int headroom) {
    int slots = Math.max(config.txSlots(), config.rxSlots());
    int ringBytes =
        Math.max(FEWEST_RING_BYTES, NetmapAbi.RING_BYTES + NetmapAbi.SLOT_BYTES * slots);
    int buffers =
        (headroom + config.txRings() + 1) * config.txSlots()
            + (headroom + config.rxRings() + 1) * config.rxSlots()
            + NetmapAbi.FIRST_BUFFER
            + Math.clamp(extraBuffers, 0, MOST_EXTRA);
    int rings = config.txRings() + config.rxRings() + 2 * headroom + 2;
    return new Pool.Geometry(
        INTERFACES,
        interfaceBytes(config),
        rings,
        pages(ringBytes),
        buffers,
        NetmapAbi.DEFAULT_BUFFER_BYTES,
        0);
  }

  private static int interfaceBytes(Adapter.Config config) {
    int entries = config.txRings() + config.rxRings() + 2;
    return Math.max(INTERFACE_BYTES, NetmapAbi.IF_RING_OFS + Long.BYTES * entries);
  }

  private static int pages(int bytes) {
    return (bytes + 4095) & ~4095;
  }
}
