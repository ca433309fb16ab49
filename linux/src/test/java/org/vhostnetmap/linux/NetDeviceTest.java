// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class NetDeviceTest {
  @Test
  void tellsAndSetsWhatIpShows() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          NetDevice one = NetDevice.of("one");
          assertEquals("one", one.name());
          assertTrue(one.isUp() && !one.isPromiscuous());
          awaitRunning(one, true);
          one.setMtu(9000);
          one.setPromiscuous(true);
          one.setMac(0x020000000011L);
          String shown = Ip.run("link", "show", "one");
          assertTrue(shown.contains("mtu 9000"), shown);
          assertTrue(shown.contains("PROMISC"), shown);
          assertTrue(shown.contains("02:00:00:00:00:11"), shown);
          assertEquals(9000, one.mtu());
          assertTrue(one.isPromiscuous());
          assertEquals(0x020000000011L, one.mac());
          one.setUp(false);
          assertFalse(one.isUp());
          awaitRunning(NetDevice.of("other"), false);
          one.setUp(true);
          awaitRunning(NetDevice.of("other"), true);
          return null;
        });
  }

  /** The kernel takes up to a second to tell. */
  private static void awaitRunning(NetDevice device, boolean running) throws Exception {
    try (RouteMonitor monitor = RouteMonitor.open();
        Epoll epoll = new Epoll(1)) {
      epoll.add(monitor.fd(), Epoll.IN, 1);
      for (int i = 0; i < 5 && device.isRunning() != running; i++) {
        epoll.await(2000);
        monitor.read(event -> {});
      }
      assertEquals(running, device.isRunning());
    }
  }

  @Test
  void tellsDriverQueuesAndRings() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          NetDevice one = NetDevice.of("one");
          assertEquals("veth", one.driver());
          assertEquals(1, one.channels().rx());
          assertTrue(one.channels().mostTx() >= 1);
          assertEquals(new NetDevice.RingSizes(0, 0), one.ringSizes(), "a veth has no rings");
          NetDevice lo = NetDevice.of("lo");
          assertEquals("", lo.driver());
          assertEquals(new NetDevice.Channels(1, 1, 1, 1), lo.channels());
          return null;
        });
  }

  @Test
  void switchesEachOffloadThatTheDeviceHas() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          NetDevice one = NetDevice.of("one");
          for (NetOffload offload :
              new NetOffload[] {
                NetOffload.TSO,
                NetOffload.GSO,
                NetOffload.GRO,
                NetOffload.TX_CHECKSUM,
                NetOffload.SCATTER_GATHER,
                NetOffload.TX_VLAN,
                NetOffload.RX_VLAN
              }) {
            for (boolean on : new boolean[] {true, false}) {
              one.setOffload(offload, on);
              assertEquals(on, one.offloads().contains(offload), offload.word());
            }
          }
          String shown = Ip.program("ethtool", "-k", "one");
          assertTrue(shown.contains("tx-checksumming: off"), shown);
          assertTrue(shown.contains("tx-vlan-offload: off"), shown);
          ErrnoException refused =
              assertThrows(
                  ErrnoException.class, () -> NetDevice.of("lo").setOffload(NetOffload.LRO, true));
          assertTrue(refused.toString().contains("ethtool -K lo lro on"), refused.getMessage());
          return null;
        });
  }

  @Test
  void staysTheSameDeviceUnderAnotherName() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          NetDevice one = NetDevice.of("one");
          Ip.run("link", "set", "one", "down");
          Ip.run("link", "set", "one", "name", "uno");
          assertEquals("uno", one.name());
          assertEquals(1500, one.mtu());
          assertEquals(one, NetDevice.of("uno"));
          assertNotEquals(one, NetDevice.of("other"));
          Ip.run("link", "del", "uno");
          assertEquals(Errno.ENODEV, assertThrows(ErrnoException.class, one::mtu).errno());
          assertEquals(
              Errno.ENODEV, assertThrows(ErrnoException.class, () -> NetDevice.of("uno")).errno());
          return null;
        });
  }
}
