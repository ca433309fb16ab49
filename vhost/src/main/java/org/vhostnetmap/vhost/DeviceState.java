// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.List;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.VirtioFeature;
import org.vhostnetmap.virtqueue.GuestMemory;

/**
 * What the data plane works on.
 *
 * @param features that the driver took
 * @param headerLength bytes of the virtio-net header before each frame
 * @param memory of the guest, mapped until a later state took its place
 * @param rings that are started and enabled, in ascending order of index
 */
public record DeviceState(
    FeatureSet<VirtioFeature> features, int headerLength, GuestMemory memory, List<Vring> rings) {
  /** Keeps its own copy of the list. */
  public DeviceState {
    rings = List.copyOf(rings);
  }
}
