// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.virtqueue.GuestMemory;

/** A data plane that moves nothing and remembers all it was told. */
final class RecordingPlane implements DataPlane {
  private final List<String> events = new ArrayList<>();
  private DeviceState state =
      new DeviceState(
          org.vhostnetmap.vhost.feature.FeatureSet.virtio(0), 0, GuestMemory.NONE, List.of());

  @Override
  public synchronized void run(DeviceState next) {
    if (next.rings().equals(state.rings())) {
      events.add("told twice");
    }
    state = next;
    events.add("run " + next.rings().stream().map(Vring::index).toList());
  }

  @Override
  public synchronized void announce(long macAddress48) {
    events.add("announce %012x".formatted(macAddress48));
  }

  /** What it was told since the last time, such as {@code "run [0, 1]"}. */
  synchronized List<String> events() {
    List<String> all = List.copyOf(events);
    events.clear();
    return all;
  }

  synchronized DeviceState state() {
    return state;
  }

  synchronized List<Integer> running() {
    return state.rings().stream().map(Vring::index).toList();
  }

  /** The ring with this index, which runs. */
  synchronized Vring ring(int index) {
    return state.rings().stream().filter(ring -> ring.index() == index).findFirst().orElseThrow();
  }
}
