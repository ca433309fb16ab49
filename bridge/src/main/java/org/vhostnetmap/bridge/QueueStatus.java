// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Map;

/**
 * The counters of one queue at a moment.
 *
 * @param queue its name: {@code rx0}, {@code tx0}, ... in the guest's view; {@code in} and {@code
 *     out} elsewhere
 * @param source whether frames come from it (true) or go to it
 * @param frames received (source) or delivered (sink)
 * @param bytes of these frames, without virtio-net headers
 * @param notifications calls to the guest
 * @param moved of the delivered frames, those that were not copied: their buffer went along
 * @param segments made of those of the delivered frames that were cut (TSO); each of them counts
 *     once
 * @param coalesced of the delivered frames, those that were put together into larger ones (GRO)
 * @param drops by reason; reasons without a drop are left out
 */
public record QueueStatus(
    String queue,
    boolean source,
    long frames,
    long bytes,
    long notifications,
    long moved,
    long segments,
    long coalesced,
    Map<DropReason, Long> drops) {
  /** Makes the map unmodifiable. */
  public QueueStatus {
    drops = Map.copyOf(drops);
  }

  /** All drops of this queue. */
  public long dropped() {
    return drops.values().stream().mapToLong(Long::longValue).sum();
  }
}
