// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.AdapterSource;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.Ports;
import org.vhostnetmap.netmap.emulated.PrivateMemory;

/** Monitors of any port that the device knows, a new one for each open. */
public final class Monitors implements AdapterSource {
  private static final long EITHER_WAY = NetmapAbi.NR_MONITOR_TX | NetmapAbi.NR_MONITOR_RX;
  private static final long ANY = EITHER_WAY | NetmapAbi.NR_ZCOPY_MON;
  private static final int FEWEST_SLOTS = 2;
  private static final int MOST_SLOTS = 4096;

  private long made;

  /** No monitor yet. */
  public Monitors() {}

  @Override
  public @Nullable Adapter find(RegisterRequest request, Ports ports, boolean create)
      throws NetmapException {
    if ((request.flags() & ANY) == 0) {
      return null;
    }
    Adapter port = ports.find(withoutMonitor(request), create);
    try {
      if (port.users() == 0) {
        throw new NetmapException(
            "nobody has " + port + " open, so there is nothing to monitor", Errno.EINVAL);
      }
      return make(request, port, ports);
    } catch (NetmapException e) {
      ports.release(port);
      throw e;
    }
  }

  private static RegisterRequest withoutMonitor(RegisterRequest request) {
    return new RegisterRequest(
        request.name(),
        request.mode(),
        request.ringId(),
        request.flags() & ~ANY,
        request.memoryId(),
        request.txSlots(),
        request.rxSlots(),
        request.txRings(),
        request.rxRings(),
        request.hostTxRings(),
        request.hostRxRings(),
        request.extraBuffers());
  }

  private Monitor make(RegisterRequest request, Adapter port, Ports ports) throws NetmapException {
    boolean zeroCopy = request.has(NetmapAbi.NR_ZCOPY_MON);
    boolean tx = zeroCopy || request.has(NetmapAbi.NR_MONITOR_TX);
    boolean rx = zeroCopy || request.has(NetmapAbi.NR_MONITOR_RX);
    Adapter.Config theirs = port.currentConfig();
    Adapter.Config config =
        new Adapter.Config(
            1,
            Math.max(theirs.txRings(), theirs.rxRings()),
            Math.min(1, theirs.hostTxRings()),
            Math.max(theirs.hostTxRings(), theirs.hostRxRings()),
            slots(request.txSlots(), theirs.txSlots()),
            slots(request.rxSlots(), theirs.rxSlots()));
    Pool memory =
        zeroCopy
            ? ports.pools().find(port.memory().id())
            : ports.pools().create(geometry(config, port));
    String name =
        port.name() + "/" + (zeroCopy ? "z" : "") + (rx ? "r" : "") + (tx ? "t" : "") + "#" + made;
    made++;
    return new Monitor(name, memory, port, config, tx, rx, zeroCopy, ports);
  }

  private static int slots(int wanted, int theirs) {
    return Math.clamp(wanted > 0 ? wanted : theirs, FEWEST_SLOTS, MOST_SLOTS);
  }

  /** Its buffers hold what the port's do. */
  private static Pool.Geometry geometry(Adapter.Config config, Adapter port) {
    Pool.Geometry usual = PrivateMemory.of(config, 0, 1);
    return new Pool.Geometry(
        usual.interfaces(),
        usual.interfaceBytes(),
        usual.rings(),
        usual.ringBytes(),
        usual.buffers(),
        Math.max(usual.bufferBytes(), port.memory().geometry().bufferBytes()),
        0);
  }
}
