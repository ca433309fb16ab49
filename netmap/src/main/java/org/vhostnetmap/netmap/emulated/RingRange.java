// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;

/** Which rings a request binds: netmap's own rules for nr_mode, nr_ringid and nr_flags. */
record RingRange(int txFirst, int txEnd, int rxFirst, int rxEnd) {
  static final RingRange NONE = new RingRange(0, 0, 0, 0);

  static RingRange of(Adapter adapter, RegisterRequest request) throws NetmapException {
    check(adapter, request);
    Adapter.Config config = adapter.current;
    int[] tx = range(request, config.txRings(), config.hostTxRings());
    int[] rx = range(request, config.rxRings(), config.hostRxRings());
    if (request.has(NetmapAbi.NR_RX_RINGS_ONLY)) {
      tx = new int[] {0, 0};
    }
    if (request.has(NetmapAbi.NR_TX_RINGS_ONLY)) {
      rx = new int[] {0, 0};
    }
    return new RingRange(tx[0], tx[1], rx[0], rx[1]);
  }

  private static void check(Adapter adapter, RegisterRequest request) throws NetmapException {
    Adapter.Config config = adapter.current;
    int id = request.ringId();
    if (request.mode().bindsHost() && config.hostTxRings() == 0 && config.hostRxRings() == 0) {
      throw new NetmapException(adapter + " has no host rings", Errno.EINVAL);
    }
    switch (request.mode()) {
      case ONE_NIC -> {
        if (id < 0 || (id >= config.txRings() && id >= config.rxRings())) {
          throw outOfRange(adapter, id, config.txRings(), config.rxRings(), "");
        }
      }
      case ONE_HOST -> {
        if (id < 0 || (id >= config.hostTxRings() && id >= config.hostRxRings())) {
          throw outOfRange(adapter, id, config.hostTxRings(), config.hostRxRings(), "host ");
        }
      }
      case ALL_NIC, HOST, NIC_AND_HOST, NULL -> {}
    }
  }

  private static NetmapException outOfRange(Adapter adapter, int id, int tx, int rx, String kind) {
    return new NetmapException(
        adapter
            + " has no "
            + kind
            + "ring "
            + id
            + ": it has "
            + tx
            + " TX and "
            + rx
            + " RX "
            + kind
            + "rings",
        Errno.EINVAL);
  }

  /** First ring and the one after the last, host rings counted on after the NIC's. */
  private static int[] range(RegisterRequest request, int nic, int host) {
    // Where there are fewer rings of one direction, the first one serves.
    int id = request.ringId();
    return switch (request.mode()) {
      case ALL_NIC, NULL -> new int[] {0, nic};
      case HOST -> new int[] {nic, nic + host};
      case NIC_AND_HOST -> new int[] {0, nic + host};
      case ONE_NIC -> one(id < nic ? id : 0, nic);
      case ONE_HOST -> one(nic + (id < host ? id : 0), nic + host);
    };
  }

  private static int[] one(int ring, int end) {
    return new int[] {ring, Math.min(ring + 1, end)};
  }
}
