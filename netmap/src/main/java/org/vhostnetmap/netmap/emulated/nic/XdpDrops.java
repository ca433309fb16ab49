// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.XdpSocket;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;

/** Frames that came and that the kernel had no place for, of one socket or of several. */
record XdpDrops(long noBuffer, long tooLong) {
  static final XdpDrops NONE = new XdpDrops(0, 0);

  static XdpDrops of(XdpSocket.Statistics kernel) {
    // The kernel counts a frame that found no chunk under both.
    long foundNone = Math.min(kernel.fillRingEmpty(), kernel.rxDropped());
    return new XdpDrops(foundNone + kernel.rxRingFull(), kernel.rxDropped() - foundNone);
  }

  XdpDrops plus(XdpDrops other) {
    return new XdpDrops(noBuffer + other.noBuffer, tooLong + other.tooLong);
  }

  List<DeviceDrops> toList() {
    List<DeviceDrops> list = new ArrayList<>();
    if (noBuffer > 0) {
      list.add(new DeviceDrops("the NIC had no free RX slot", noBuffer));
    }
    if (tooLong > 0) {
      list.add(new DeviceDrops("the frame from the NIC is longer than a buffer", tooLong));
    }
    return list;
  }
}
