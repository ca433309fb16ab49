// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/**
 * User-mode Linux: pipes as call descriptors, no GET_VRING_BASE, the back-end's bits unfiltered.
 */
class UmlIT {
  @Test
  void userModeLinuxProbesAndExchangesTraffic() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "tap:tap0");
      GuestShell guest = lab.bootUml(1, "a").shell();
      assertTrue(guest.get("/opt/bin/ethtool -i eth0").contains("driver: virtio_net"));
      lab.assertTraffic(guest, 1);
      String device = guest.get("basename $(readlink -f /sys/class/net/eth0/device)");
      for (int i = 1; i <= 5; i++) {
        String driver = "/sys/bus/virtio/drivers/virtio_net/";
        guest.get(
            "echo " + device + " >" + driver + "unbind; echo " + device + " >" + driver + "bind");
        Lab.address(guest, 1);
        Output ping = guest.run("ping -c 1 -w 5 " + Lab.HOST);
        assertTrue(ping.ok(), "rebind " + i + ": " + ping.text());
      }
      lab.assertTraffic(guest, 1);
      assertEquals(0, lab.backend().status().at("unexplained").number());
      System.out.println("user-mode Linux: traffic, 5 rebinds, traffic");
    }
  }

  @Test
  void nextUserModeLinuxIsServedAfterTheFirstIsKilled() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "tap:tap0");
      try (UmlVm vm = UmlVm.boot(lab.files, lab.path("a"))) {
        Lab.address(vm.shell(), 1);
        Lab.assertPing(vm.shell(), Lab.HOST);
      }
      lab.assertTraffic(lab.bootUml(2, "a").shell(), 2);
    }
  }
}
