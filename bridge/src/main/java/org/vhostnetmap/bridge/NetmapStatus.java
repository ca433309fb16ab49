// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import org.vhostnetmap.netmap.NetmapPort;

/**
 * The netmap rings behind a port at a moment.
 *
 * @param device which netmap serves them, for people
 * @param way how the device gets at this port's frames, for people
 * @param up whether frames move
 * @param link whether the network device behind it is up and has a carrier; true without one
 * @param trouble why they don't, or why they did not the last time; empty when nothing ever
 *     happened
 * @param rings how many opens of a ring pair there are
 * @param slots in each RX ring, or in each TX ring of a port that only sends
 * @param memoryId ports of one id can exchange buffers
 * @param mtu of the network device, 0 without one
 * @param reattached how often the port came back after it was down
 * @param drops what the device itself dropped, since the port is up
 */
public record NetmapStatus(
    String device,
    String way,
    boolean up,
    boolean link,
    String trouble,
    int rings,
    int slots,
    int memoryId,
    int mtu,
    long reattached,
    List<NetmapPort.DeviceDrops> drops) {
  /** Makes the list unmodifiable. */
  public NetmapStatus {
    drops = List.copyOf(drops);
  }
}
