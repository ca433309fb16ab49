// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.jspecify.annotations.Nullable;

/** Who is in a switch, as one picture that never changes: senders take it once per batch. */
final class PortTable {
  /** netmap's NM_BDG_MAXPORTS. */
  static final int MOST_PORTS = 254;

  /** A switch without ports. */
  static final PortTable EMPTY = new PortTable(new SwitchPort[0]);

  /** The ports, by rising index. */
  final SwitchPort[] active;

  private final @Nullable SwitchPort[] byIndex = new @Nullable SwitchPort[MOST_PORTS];

  private PortTable(SwitchPort[] active) {
    this.active = active;
    for (SwitchPort port : active) {
      byIndex[port.index] = port;
    }
  }

  /** The port with a number, or null. */
  @Nullable SwitchPort at(int index) {
    return byIndex[index];
  }

  /** The lowest number that is free, or -1. */
  int freeIndex() {
    for (int i = 0; i < MOST_PORTS; i++) {
      if (byIndex[i] == null) {
        return i;
      }
    }
    return -1;
  }

  PortTable with(SwitchPort joining) {
    SwitchPort[] more = new SwitchPort[active.length + 1];
    int at = 0;
    while (at < active.length && active[at].index < joining.index) {
      more[at] = active[at];
      at++;
    }
    more[at] = joining;
    System.arraycopy(active, at, more, at + 1, active.length - at);
    return new PortTable(more);
  }

  PortTable without(SwitchPort leaving) {
    return new PortTable(
        java.util.Arrays.stream(active)
            .filter(port -> port.index != leaving.index)
            .toArray(SwitchPort[]::new));
  }
}
