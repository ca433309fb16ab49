// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * The host's side of a NIC in netmap mode. While {@link #cut} the host's frames do not reach the
 * wire; open host rings carry them instead. One object per NIC in netmap mode. Control plane under
 * the device's lock; the syncs hold the kring's monitor; {@link #send} comes from any RX ring's
 * sync.
 */
public interface HostRings extends AutoCloseable {
  /** Makes one. */
  @FunctionalInterface
  interface Factory {
    /**
     * Makes ready what is needed; the host notices nothing yet.
     *
     * @param txRings how many host TX rings may be opened; {@code rxRings} likewise
     * @throws NetmapException and nothing has changed
     */
    HostRings create(String nic, int txRings, int rxRings) throws NetmapException;
  }

  /** For people: such as {@code TAP and tcx}. */
  String description();

  /**
   * Whether the NIC's rings are in netmap mode. Then what the host transmits goes to open host RX
   * rings, or nowhere while none is open; else to the wire, past any host ring.
   *
   * @throws NetmapException and nothing has changed
   */
  void cut(boolean on) throws NetmapException;

  /**
   * Host ring {@code ring} (0 is the first) of one direction is in netmap mode: frames of the host
   * come to {@code kring} (RX), or frames of the user's go to the host (TX).
   */
  void open(int ring, Kring kring) throws NetmapException;

  /** It is not any more; its slots keep their buffers. */
  void close(int ring, Kring kring);

  /** As {@code Adapter.txSync}: everything up to rhead enters the stack, or is dropped, at once. */
  void txSync(Kring kring);

  /** As {@code Adapter.rxSync}. */
  void rxSync(Kring kring);

  /** A descriptor that is readable when the host transmitted; of a TX ring, -1. */
  int readyFd(Kring kring);

  /**
   * Transparent mode: one frame enters the stack as if received on the NIC, straight from a NIC
   * ring's buffer. Works whether host rings are open or not.
   *
   * @return false when it did not
   */
  boolean send(long address, int length);

  /** Why it can't move frames any more, or null while it can. */
  @Nullable String failure();

  /** What was dropped where no kring is to blame. */
  default List<DeviceDrops> drops() {
    return List.of();
  }

  /** Gives the NIC back to the host. */
  @Override
  void close();
}
