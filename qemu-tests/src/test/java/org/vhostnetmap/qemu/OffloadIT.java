// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Guests that leave checksums and segmentation to us, and guests that don't: data arrives whole by
 * IPv4, IPv6 and in a VLAN, and an independent reader finds nothing wrong on the wire. Throughput
 * is told, not judged: the machine is shared and the guests' processors are emulated.
 */
class OffloadIT {
  private static final int ETHERNET = 14;
  private static final int MTU = 1500;

  @Test
  void guestOfQemuThroughANetmapNic() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.NIC)) {
      lab.start("vhost:a", OffloadLab.NIC);
      prove("QEMU, netmap NIC", lab, lab.qemu(11, "a"), 11);
    }
  }

  @Test
  void guestOfQemuThroughATap() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.TAP)) {
      lab.start("vhost:a", OffloadLab.TAP);
      prove("QEMU, TAP", lab, lab.qemu(11, "a"), 11);
    }
  }

  @Test
  void userModeLinuxThroughANetmapNic() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.NIC)) {
      lab.start("vhost:a", OffloadLab.NIC);
      prove("user-mode Linux, netmap NIC", lab, lab.uml(11, "a"), 11);
    }
  }

  @Test
  void userModeLinuxThroughATap() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.TAP)) {
      lab.start("vhost:a", OffloadLab.TAP);
      prove("user-mode Linux, TAP", lab, lab.uml(11, "a"), 11);
    }
  }

  @Test
  void fromGuestToGuest() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.NIC)) {
      lab.start("vhost:a", "vhost:b", OffloadLab.NIC);
      GuestShell qemu = lab.qemu(11, "a");
      GuestShell uml = lab.uml(12, "b");
      for (boolean segmentation : new boolean[] {true, false}) {
        boolean left = OffloadLab.segmentation(qemu, segmentation);
        boolean right = OffloadLab.segmentation(uml, segmentation);
        OffloadLab.assertGuestsExchange(qemu, 11, uml, 12, OffloadLab.Way.values());
        String address = OffloadLab.Way.IPV4.address(12);
        System.out.printf(
            Locale.ROOT,
            "QEMU (TSO %s) to user-mode Linux (TSO %s): %d Mbit/s, back %d Mbit/s%n",
            left ? "on" : "off",
            right ? "on" : "off",
            OffloadLab.throughput(qemu, address, false),
            OffloadLab.throughput(qemu, address, true));
      }
      assertEquals(0, lab.backend().status().at("unexplained").number());
    }
  }

  /**
   * The peer sends segments, each a frame on the wire. With GRO the guest's driver sees fewer and
   * larger packets, and every byte is there all the same.
   */
  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"user-mode Linux", "QEMU", "QEMU, packed rings"})
  void guestSeesFewerPacketsWithGro(String name) throws Exception {
    for (boolean gro : new boolean[] {false, true}) {
      try (var lab = new OffloadLab(OffloadLab.NIC)) {
        lab.start("vhost:a" + (gro ? ",gro=on" : ""), OffloadLab.NIC);
        String packed = "packed=" + (name.endsWith("packed rings") ? "on" : "off");
        GuestShell guest = name.startsWith("QEMU") ? lab.qemu(11, "a", packed) : lab.uml(11, "a");
        lab.assertFilesArrive(guest, 11);
        String peer = OffloadLab.Way.IPV4.address(OffloadLab.PEER);
        long speed = OffloadLab.throughput(guest, peer, true);
        long packets = received(guest);
        Json rx = lab.queue("rx0");
        long frames = rx.at("frames").number();
        System.out.printf(
            Locale.ROOT,
            "%s receives with GRO %s %d Mbit/s; %d frames, %d of them put together, were %d"
                + " packets to its driver%n",
            name,
            gro ? "on" : "off",
            speed,
            frames,
            rx.at("coalesced").number(),
            packets);
        assertEquals(gro, rx.at("coalesced").number() > 0);
        if (name.startsWith("QEMU")) { // user-mode Linux takes packed rings where they are offered
          assertEquals(
              name.endsWith("packed rings"),
              lab.backend().port("vhost").at("vhost", "features").list().stream()
                  .anyMatch(feature -> feature.string().equals("VIRTIO_F_RING_PACKED")));
        }
        assertEquals(gro, packets < frames / 2, packets + " packets of " + frames + " frames");
        assertEquals(0, lab.backend().status().at("unexplained").number());
      }
    }
  }

  private static long received(GuestShell guest) throws IOException {
    return Long.parseLong(guest.get("cat /sys/class/net/eth0/statistics/rx_packets"));
  }

  /** The second guest is at the far end of the cable, which knows nothing of tags. */
  @Test
  void taggedFramesOverTheCable() throws Exception {
    try (var lab = new OffloadLab(OffloadLab.NIC)) {
      lab.start("vhost:a", OffloadLab.NIC);
      lab.startAtThePeer("vhost:b", "tap:tap1");
      GuestShell qemu = lab.qemu(11, "a");
      GuestShell uml = lab.uml(12, "b");
      for (boolean segmentation : new boolean[] {true, false}) {
        OffloadLab.segmentation(qemu, segmentation);
        OffloadLab.segmentation(uml, segmentation);
        try (Capture capture = lab.capture()) {
          OffloadLab.assertGuestsExchange(qemu, 11, uml, 12, OffloadLab.Way.VLAN);
          WireReport wire = capture.stop();
          assertGood(wire, 1);
          assertTrue(wire.tagged() >= wire.tcp(), wire::toString);
        }
      }
    }
  }

  /** Everything with the guest's segmentation offload on, then once more with it off. */
  private static void prove(String what, OffloadLab lab, GuestShell guest, int number)
      throws IOException {
    for (boolean segmentation : new boolean[] {true, false}) {
      boolean on = OffloadLab.segmentation(guest, segmentation);
      assertEquals(segmentation, on, what + ": TSO of the guest");
      try (Capture capture = lab.capture()) {
        lab.assertFilesArrive(guest, number);
        WireReport wire = capture.stop();
        assertGood(wire, lab.waysToPeer().size());
        assertTrue(wire.ipv6() >= OffloadLab.FILE_BYTES / MTU, wire::toString);
      }
      String address = OffloadLab.Way.IPV4.address(OffloadLab.PEER);
      System.out.printf(
          Locale.ROOT,
          "%s, TSO %s: guest sends %d Mbit/s, receives %d Mbit/s%n",
          what,
          on ? "on" : "off",
          OffloadLab.throughput(guest, address, false),
          OffloadLab.throughput(guest, address, true));
    }
    assertEquals(0, lab.backend().status().at("unexplained").number());
  }

  /** No wrong checksum, no frame above the MTU, and {@code files} files went by. */
  private static void assertGood(WireReport wire, int files) {
    assertEquals(List.of(), wire.bad());
    assertTrue(wire.longest() <= MTU + ETHERNET, wire::toString);
    assertTrue(wire.tcp() >= (long) files * OffloadLab.FILE_BYTES / MTU, wire::toString);
    assertTrue(wire.good() >= wire.tcp(), wire::toString);
  }
}
