// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * How the frames of a NIC's hardware queues get into and out of netmap buffers: AF_XDP or
 * AF_PACKET. One object per NIC in netmap mode. open and close are control plane, under the
 * device's lock; the syncs hold the kring's monitor.
 */
public interface NicQueues extends AutoCloseable {
  /** Makes one; the NIC's adapter has a list of these and takes the first that works. */
  interface Factory {
    /** For people: such as {@code AF_XDP}. */
    String name();

    /**
     * Looks whether {@code nic} can be served, by trying where asking does not tell, and gives it
     * back.
     *
     * @param memory where the buffers will be; nobody need be in it yet
     * @param wishes what the first open asked for: numbers of slots may be honoured
     * @throws NetmapException with the reason why this way does not work for this NIC
     */
    NicQueues create(String nic, Pool memory, RegisterRequest wishes) throws NetmapException;
  }

  /** For people: such as {@code AF_XDP, copy mode}. */
  String description();

  /** Slots that one frame may take in a TX ring. */
  default int longestChain() {
    return 1;
  }

  /** Numbers of hardware queues and slots; the host's are 0 here. */
  Adapter.Config config() throws NetmapException;

  /**
   * Takes hardware queue {@code queue} from the host. The slots of both rings, and the buffers they
   * name, are the device's (TX: the user's all but one).
   *
   * @throws NetmapException and nothing has changed
   */
  void open(int queue, Kring tx, Kring rx) throws NetmapException;

  /** Gives it back; afterwards every slot names a buffer of its own again, all distinct. */
  void close(int queue);

  /** As {@code Adapter.txSync}. */
  void txSync(Kring kring);

  /** As {@code Adapter.rxSync}. */
  void rxSync(Kring kring);

  /** A descriptor that is readable when frames came, or, of a TX ring, -1. */
  int readyFd(Kring kring);

  /** Why it can't move frames any more, or null while it can. */
  @Nullable String failure();

  /** What was dropped where no kring is to blame, such as in the driver. */
  default List<DeviceDrops> drops() {
    return List.of();
  }

  /** Gives everything back. */
  @Override
  void close();
}
