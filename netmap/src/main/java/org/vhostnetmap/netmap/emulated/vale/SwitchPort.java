// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

/** One place in a switch, whoever sits there: a port's krings, or a NIC that is plugged in. */
abstract class SwitchPort {
  private final String name;

  /** Its number in the switch; set when it joins. */
  int index;

  private volatile int headerLength;

  SwitchPort(String name) {
    this.name = name;
  }

  /** Such as {@code vale0:vm1}. */
  final String name() {
    return name;
  }

  /** Bytes of the virtio-net header before its frames, both ways. */
  final int headerLength() {
    return headerLength;
  }

  final void setHeaderLength(int bytes) {
    headerLength = bytes;
  }

  /** How many rings take frames for it; 0 while nobody has it open. */
  abstract int outlets();

  /** The ring of that number; one that takes nothing when there is none. */
  abstract Outlet outlet(int ring);

  /** The ring for frames that came in through the sender's ring {@code ring}: netmap's rule. */
  final int outletFor(int ring) {
    int outlets = outlets();
    return ring < outlets || outlets == 0 ? ring : ring % outlets;
  }
}
