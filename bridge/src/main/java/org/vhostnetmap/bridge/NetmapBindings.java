// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * The opens of one netmap port: one per ring pair, so that each pair can have a thread of its own,
 * and nobody else's: the kernel lets two programs scribble over the same rings unless the first
 * says otherwise. A monitor is one open with all it sees. Control thread.
 */
final class NetmapBindings implements AutoCloseable {
  private static final long MONITOR =
      NetmapAbi.NR_MONITOR_RX | NetmapAbi.NR_MONITOR_TX | NetmapAbi.NR_ZCOPY_MON;

  private final List<NetmapPort> opens = new ArrayList<>();

  private NetmapBindings() {}

  /** Opens all of them or none. */
  static NetmapBindings open(NetmapDevice device, RegisterRequest request) throws NetmapException {
    var bindings = new NetmapBindings();
    try {
      bindings.openAll(device, request.withFlags(NetmapAbi.NR_NO_TX_POLL));
      return bindings;
    } catch (NetmapException | RuntimeException refused) {
      bindings.close();
      throw refused;
    }
  }

  /** Whether an open of this kind can only see frames. */
  static boolean isMonitor(RegisterRequest request) {
    return (request.flags() & MONITOR) != 0;
  }

  private void openAll(NetmapDevice device, RegisterRequest request) throws NetmapException {
    if (isMonitor(request)) {
      opens.add(device.register(request));
      return;
    }
    RegisterRequest alone = request.withFlags(NetmapAbi.NR_EXCLUSIVE);
    switch (request.mode()) {
      case ALL_NIC -> openPairs(device, alone, PortMode.ONE_NIC);
      case HOST -> openPairs(device, alone, PortMode.ONE_HOST);
      case ONE_NIC, ONE_HOST -> opens.add(device.register(alone));
      case NIC_AND_HOST, NULL ->
          throw new IllegalArgumentException(request.mode() + " is no single bridge port");
    }
  }

  /** The first open creates the port, if it is of a kind that is created, and tells its rings. */
  private void openPairs(NetmapDevice device, RegisterRequest request, PortMode mode)
      throws NetmapException {
    NetmapPort first = device.register(request.with(mode, 0));
    opens.add(first);
    PortInfo info = first.info();
    boolean host = mode == PortMode.ONE_HOST;
    int tx =
        request.has(NetmapAbi.NR_RX_RINGS_ONLY) ? 0 : host ? info.hostTxRings() : info.txRings();
    int rx =
        request.has(NetmapAbi.NR_TX_RINGS_ONLY) ? 0 : host ? info.hostRxRings() : info.rxRings();
    for (int pair = 1; pair < Math.max(tx, rx); pair++) {
      // netmap takes ring 0 where a direction has no ring of the number: it is taken already.
      long one = pair >= tx ? NetmapAbi.NR_RX_RINGS_ONLY : 0;
      one |= pair >= rx ? NetmapAbi.NR_TX_RINGS_ONLY : 0;
      opens.add(device.register(request.with(mode, pair).withFlags(one)));
    }
  }

  List<NetmapPort> opens() {
    return opens;
  }

  /** Why one of them can't move frames any more, or empty. */
  Optional<String> failure() {
    return opens.stream().flatMap(open -> open.failure().stream()).findFirst();
  }

  /** What the device dropped on all of them together. */
  List<NetmapPort.DeviceDrops> drops() {
    List<NetmapPort.DeviceDrops> sums = new ArrayList<>();
    for (NetmapPort open : opens) {
      for (NetmapPort.DeviceDrops drops : open.drops()) {
        add(sums, drops);
      }
    }
    return sums;
  }

  private static void add(List<NetmapPort.DeviceDrops> sums, NetmapPort.DeviceDrops drops) {
    for (int i = 0; i < sums.size(); i++) {
      if (sums.get(i).reason().equals(drops.reason())) {
        long sum = sums.get(i).frames() + drops.frames();
        sums.set(i, new NetmapPort.DeviceDrops(drops.reason(), sum));
        return;
      }
    }
    sums.add(drops);
  }

  @Override
  public void close() {
    opens.forEach(NetmapPort::close);
    opens.clear();
  }
}
