// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * One guest through its life, as Linux's virtio_net sees our device: probe, registration, going
 * down and coming back in every way there is. Traffic has to flow after each.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DriverIT {
  private static final String DRIVER = "/sys/bus/virtio/drivers/virtio_net/";

  /** Bits that the back-end alone decides; the others of a network device are QEMU's. */
  private static final Map<String, Integer> OURS =
      Map.ofEntries(
          Map.entry("VIRTIO_NET_F_CSUM", 0),
          Map.entry("VIRTIO_NET_F_GUEST_CSUM", 1),
          Map.entry("VIRTIO_NET_F_MTU", 3),
          Map.entry("VIRTIO_NET_F_GUEST_TSO4", 7),
          Map.entry("VIRTIO_NET_F_GUEST_TSO6", 8),
          Map.entry("VIRTIO_NET_F_HOST_TSO4", 11),
          Map.entry("VIRTIO_NET_F_HOST_TSO6", 12),
          Map.entry("VIRTIO_NET_F_MRG_RXBUF", 15),
          Map.entry("VIRTIO_NET_F_GUEST_ANNOUNCE", 21),
          Map.entry("VIRTIO_NET_F_MQ", 22),
          Map.entry("VIRTIO_F_INDIRECT_DESC", 28),
          Map.entry("VIRTIO_F_EVENT_IDX", 29),
          Map.entry("VIRTIO_F_VERSION_1", 32),
          Map.entry("VIRTIO_F_RING_PACKED", 34));

  private Lab lab;
  private Vm vm;
  private GuestShell guest;

  @BeforeAll
  void boot() throws IOException {
    lab = new Lab();
    lab.start("vhost:a", "tap:tap0");
    vm = lab.boot(1, lab.nic(1, "a"));
    guest = vm.shell();
  }

  @AfterAll
  void end() {
    lab.close();
  }

  private String features() throws IOException {
    return guest.get("cat /sys/bus/virtio/devices/virtio0/features");
  }

  private boolean accepted(String feature) throws IOException {
    return features().charAt(OURS.getOrDefault(feature, -1)) == '1';
  }

  @Test
  @Order(1)
  void guestAcceptsTheFeaturesThatTheBackendReports() throws IOException {
    String bits = features();
    var accepted = new TreeSet<String>();
    OURS.forEach(
        (name, bit) -> {
          if (bits.charAt(bit) == '1') {
            accepted.add(name);
          }
        });
    var reported = new TreeSet<String>();
    for (Json name : lab.backend().port("vhost:").at("vhost", "features").list()) {
      if (OURS.containsKey(name.string())) {
        reported.add(name.string());
      }
    }
    System.out.println("guest accepted " + accepted);
    assertEquals(reported, accepted);
    assertTrue(
        accepted.containsAll(
            Set.of(
                "VIRTIO_F_VERSION_1",
                "VIRTIO_F_EVENT_IDX",
                "VIRTIO_F_INDIRECT_DESC",
                "VIRTIO_NET_F_MRG_RXBUF")));
  }

  @Test
  @Order(2)
  void guestIsShownNoFeatureThatTheBackendDoesNotOffer() throws IOException {
    String path = "";
    for (Json device : vm.qmp().execute("x-query-virtio").list()) {
      path = device.at("path").string();
    }
    Json status = vm.qmp().execute("x-query-virtio-status", Map.of("path", path));
    String shown = status.at("host-features").toString();
    System.out.println("guest is shown " + shown);
    assertTrue(shown.contains("VIRTIO_NET_F_MRG_RXBUF"), shown);
    for (String never : new String[] {"RING_RESET", "HASH_REPORT", "VIRTIO_F_RING_PACKED"}) {
      assertFalse(shown.contains(never), never + " in " + shown);
    }
  }

  @Test
  @Order(3)
  void netDeviceHasTheOffloadsThatWereNegotiatedAndNoOthers() throws IOException {
    String all = guest.get("/opt/bin/ethtool -k eth0");
    // Not rx-checksumming: Linux 6.1 says "on [fixed]" with every virtio-net device.
    var expected =
        Map.of(
            "tx-checksum-ip-generic", accepted("VIRTIO_NET_F_CSUM"),
            "tx-tcp-segmentation", accepted("VIRTIO_NET_F_HOST_TSO4"),
            "tx-tcp6-segmentation", accepted("VIRTIO_NET_F_HOST_TSO6"),
            "rx-gro-hw", accepted("VIRTIO_NET_F_GUEST_TSO4"));
    for (Map.Entry<String, Boolean> feature : expected.entrySet()) {
      String line =
          all.lines()
              .map(String::strip)
              .filter(l -> l.startsWith(feature.getKey() + ":"))
              .findFirst()
              .orElseThrow();
      System.out.println("ethtool -k: " + line);
      assertEquals(feature.getValue(), line.contains(": on"), line);
    }
    String driver = guest.get("/opt/bin/ethtool -i eth0");
    assertTrue(driver.contains("driver: virtio_net"), driver);
    assertEquals("52:54:00:77:00:01", guest.get("cat /sys/class/net/eth0/address"));
    assertEquals("1", guest.get("ls -d /sys/class/net/eth0/queues/rx-* | wc -l"));
  }

  @Test
  @Order(4)
  void trafficFlowsAfterTheFirstProbe() throws IOException {
    lab.assertTraffic(guest, 1);
    assertEquals(0, lab.backend().status().at("unexplained").number());
  }

  @Test
  @Order(5)
  void bindTellsOfANewLinkAndUnbindOfItsEnd() throws IOException {
    guest.get("(/opt/bin/ip monitor link >/tmp/monitor 2>&1 & echo $! >/tmp/monitor.pid)");
    guest.get("sleep 1; echo virtio0 >" + DRIVER + "unbind");
    assertFalse(guest.run("test -e /sys/class/net/eth0").ok());
    guest.get("echo virtio0 >" + DRIVER + "bind");
    Lab.address(guest, 1);
    String events = guest.get("sleep 1; kill $(cat /tmp/monitor.pid); cat /tmp/monitor");
    System.out.println("ip monitor link:\n" + events);
    int gone = events.indexOf("Deleted");
    assertTrue(gone >= 0, "RTM_DELLINK on unbind: " + events);
    assertTrue(
        events.indexOf("eth0", events.indexOf('\n', gone)) > gone,
        "RTM_NEWLINK on bind: " + events);
    lab.assertTraffic(guest, 1);
  }

  @Test
  @Order(6)
  void trafficFlowsAfterEachOf20Rebinds() throws IOException {
    for (int i = 1; i <= 20; i++) {
      guest.get("echo virtio0 >" + DRIVER + "unbind; echo virtio0 >" + DRIVER + "bind");
      Lab.address(guest, 1);
      Output ping = guest.run("ping -c 1 -w 5 " + Lab.HOST);
      assertTrue(ping.ok(), "rebind " + i + ": " + ping.text());
    }
    lab.assertTraffic(guest, 1);
    System.out.println("20 rebinds, traffic after each");
  }

  @Test
  @Order(7)
  void trafficFlowsAfterTheInterfaceWentDownAndUp() throws IOException {
    for (int i = 0; i < 3; i++) {
      guest.get("ip link set eth0 down");
      assertFalse(lab.host.run("ping -c 1 -W 1 " + Lab.address(1)).ok());
      guest.get("ip link set eth0 up");
      Lab.assertPing(guest, Lab.HOST);
    }
    lab.assertTraffic(guest, 1);
  }

  @Test
  @Order(8)
  void trafficFlowsAfterTheCableWasPulledAndPutBack() throws IOException {
    for (int i = 0; i < 3; i++) {
      vm.setLink(0, false);
      guest.get(
          "for i in 1 2 3 4 5 6 7 8 9; do [ $(cat /sys/class/net/eth0/carrier) = 0 ] && exit 0; sleep 0.2; done; exit 1");
      assertFalse(guest.run("ping -c 1 -W 1 " + Lab.HOST).ok());
      vm.setLink(0, true);
      guest.get(
          "for i in 1 2 3 4 5 6 7 8 9; do [ $(cat /sys/class/net/eth0/carrier) = 1 ] && exit 0; sleep 0.2; done; exit 1");
      Lab.assertPing(guest, Lab.HOST);
    }
    lab.assertTraffic(guest, 1);
  }

  @Test
  @Order(9)
  void trafficFlowsAfterEachOf5Reboots() throws IOException {
    for (int i = 1; i <= 5; i++) {
      if (i % 2 == 0) {
        vm.reset();
      } else {
        guest.run("(sleep 0.3; reboot -f) >/dev/null 2>&1 &");
      }
      vm.awaitBoot();
      Lab.address(guest, 1);
      lab.assertTraffic(guest, 1);
      System.out.println("reboot " + i + (i % 2 == 0 ? " (reset)" : " (by the guest)"));
    }
    assertEquals(0, lab.backend().status().at("unexplained").number());
  }
}
