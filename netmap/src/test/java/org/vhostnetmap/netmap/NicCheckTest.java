// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.NetOffload;

class NicCheckTest {
  private static final NicCheck.Use KERNEL_WITH_HOST = new NicCheck.Use(true, true, true, 2048);
  private static final NicCheck.Use EMULATED = new NicCheck.Use(false, true, true, 1792);

  private static void awaitLink() throws Exception {
    NetDevice nic = NetDevice.of("nic");
    Awaitility.await().atMost(Duration.ofSeconds(5)).until(nic::isRunning);
  }

  @Test
  void namesTheOffloadsInOneLineWithTheCommand() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          awaitLink();
          command("ethtool", "-K", "nic", "gro", "on");
          try (NicCheck check = NicCheck.of("nic", KERNEL_WITH_HOST)) {
            List<String> faults = check.faults();
            assertEquals(1, faults.size(), faults.toString());
            String fault = faults.getFirst();
            assertTrue(
                fault.contains("ethtool -K nic rx off tx off sg off tso off gso off gro off"),
                fault);
            String[] words = fault.substring(fault.indexOf("ethtool")).split(" ", -1);
            command(words);
            assertEquals(List.of(), check.faults(), "after the command that it named");
          }
        });
  }

  @Test
  void putsRightWhatItMayAndRestoresItAtClose() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          NetDevice nic = NetDevice.of("nic");
          Set<NetOffload> before = nic.offloads();
          nic.setUp(false);
          NicCheck check = NicCheck.of("nic", KERNEL_WITH_HOST);
          List<String> changes = check.fix();
          assertEquals(2, changes.size(), changes.toString());
          awaitLink();
          assertEquals(List.of(), check.faults());
          assertTrue(nic.isUp());
          check.close();
          check.close();
          assertEquals(before, nic.offloads());
          assertTrue(!nic.isUp());
        });
  }

  @Test
  void anEmulatedVethNeedsNothing() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          awaitLink();
          try (NicCheck check = NicCheck.of("nic", EMULATED)) {
            assertEquals(List.of(), check.faults());
            assertEquals(List.of(), check.fix());
          }
        });
  }

  @Test
  void whoExpectsForeignFramesGetsThemUntilClose() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("low", "wire");
          command("ip", "link", "add", "nic", "link", "low", "type", "macvlan", "mode", "bridge");
          command("ip", "link", "set", "nic", "addrgenmode", "none", "up");
          awaitLink();
          try (NicCheck check = NicCheck.of("nic", EMULATED)) {
            assertTrue(
                check.faults().toString().contains("ip link set nic promisc on"),
                check.faults().toString());
            check.fix();
            assertTrue(command("ip", "-d", "link", "show", "nic").contains("promiscuity 1"));
            assertTrue(!check.faults().toString().contains("promisc"));
          }
          assertTrue(command("ip", "-d", "link", "show", "nic").contains("promiscuity 0"));
        });
  }

  @Test
  void anMtuThatNoBufferHoldsIsNamedNotChanged() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire", "mtu 9000");
          try (NicCheck check = NicCheck.of("nic", KERNEL_WITH_HOST)) {
            check.fix();
            awaitLink();
            assertTrue(
                check.faults().toString().contains("ip link set nic mtu 2026"),
                check.faults().toString());
            assertEquals(9000, NetDevice.of("nic").mtu());
          }
        });
  }

  @Test
  void aLinkThatIsDownIsNamed() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "wire", "down");
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(() -> !NetDevice.of("nic").isRunning());
          try (NicCheck check = NicCheck.of("nic", EMULATED)) {
            assertTrue(check.faults().toString().contains("no link"), check.faults().toString());
          }
        });
    NetworkNamespace.run(
        () -> assertThrows(NetmapException.class, () -> NicCheck.of("none", EMULATED)));
  }
}
