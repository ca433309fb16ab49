// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.RegisterRequest;

/** Another NIC of the same name, while somebody still holds on to the first one's memory. */
final class ReturningNicTest {
  private final NetmapDevice device = Netmap.emulated();

  @Test
  void aPipeOnANicDoesNotKeepItsSuccessorOut() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("ret0", "ret1");
          RegisterRequest nic = RegisterRequest.of("ret0");
          try (NetmapPort pipe =
              device.register(RegisterRequest.of("ret0{1").withRings(1, 1, 64, 64))) {
            device.register(nic).close();
            command("ip", "link", "del", "ret0");
            assertThrows(NetmapException.class, () -> device.register(nic));
            assertThrows(NetmapException.class, () -> device.register(nic));
            NetworkNamespace.veth("ret0", "ret1");
            try (NetmapPort again = device.register(nic);
                NetmapPort peer = device.register(RegisterRequest.of("ret1"))) {
              assertEquals(pipe.info().memoryId(), again.info().memoryId());
              carryOne(again, peer);
            }
          }
        });
  }

  private static void carryOne(NetmapPort from, NetmapPort to) {
    NetmapRing ring = from.txRings().get(0);
    Memory.fill(ring.buffer(ring.head()), 60, 0xff);
    ring.set(ring.head(), 60, 0);
    ring.advanceTo(ring.after(ring.head(), 1));
    from.txSync();
    Awaitility.await()
        .atMost(Duration.ofSeconds(5))
        .pollInSameThread()
        .until(
            () -> {
              to.rxSync();
              return to.rxRings().get(0).space() > 0;
            });
  }
}
