// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The back-end goes and comes back under a running guest. */
class ReconnectIT {
  @Test
  void trafficGoesOnWhenTheBackendIsRestartedUnderTheGuest() throws Exception {
    try (var lab = new Lab()) {
      BackendProcess first = lab.start("vhost:a", "tap:tap0");
      GuestShell guest = lab.boot(1, lab.nic(1, "a").reconnecting(1)).shell();
      lab.assertTraffic(guest, 1);
      assertEquals(0, first.stop(), "exit status on SIGTERM: " + first.log());
      first.close();
      BackendProcess second = lab.start("vhost:a", "tap:tap0");
      lab.awaitUp("vhost:");
      lab.assertTraffic(guest, 1);
      System.out.println("traffic after an orderly restart");
      second.kill();
      second.close();
      lab.start("vhost:a", "tap:tap0");
      lab.awaitUp("vhost:");
      lab.assertTraffic(guest, 1);
      System.out.println("traffic after kill -9 and a restart, the old socket's file in the way");
    }
  }

  @Test
  void backendConnectsToAListeningQemuAndServesTheNextOneToo() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a,connect", "tap:tap0");
      try (Vm vm = Vm.builder(lab.files).nic(lab.nic(1, "a").listening()).boot()) {
        Lab.address(vm.shell(), 1);
        lab.assertTraffic(vm.shell(), 1);
        vm.kill();
      }
      Vm again = lab.boot(2, lab.nic(2, "a").listening());
      lab.assertTraffic(again.shell(), 2);
      assertTrue(lab.backend().isAlive());
      System.out.println("connect mode: traffic, QEMU killed, the next QEMU served");
    }
  }
}
