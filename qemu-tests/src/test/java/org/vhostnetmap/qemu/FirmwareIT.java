// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** iPXE drives the card before Linux does: DHCP, then it fetches Linux itself through our rings. */
class FirmwareIT {
  private static final String SCRIPT =
      """
      #!ipxe
      kernel http://10.77.0.1:8000/vmlinuz console=ttyS0 shell=ttyS1 panic=-1
      initrd http://10.77.0.1:8000/initramfs.cpio
      boot
      """;

  @Test
  void ipxeFetchesLinuxThroughTheRingsAndLinuxTakesOver() throws Exception {
    try (var lab = new Lab()) {
      for (String name : List.of("vmlinuz", "initramfs.cpio")) {
        Path file = lab.files.initramfs().resolveSibling(name);
        Files.createSymbolicLink(lab.web().resolve(name), file);
      }
      Files.writeString(lab.web().resolve("boot"), SCRIPT);
      lab.start("vhost:a", "tap:tap0");
      Path leases = Files.createFile(lab.path("leases"));
      Path configuration =
          Files.writeString(
              lab.path("udhcpd.conf"),
              "start 10.77.0.11\nend 10.77.0.11\ninterface tap0\nlease_file "
                  + leases
                  + "\npidfile "
                  + lab.path("udhcpd.pid")
                  + "\noption subnet 255.255.255.0\n"
                  + "boot_file http://10.77.0.1:8000/boot\n");
      List<String> udhcpd = List.of("busybox", "udhcpd", "-f", configuration.toString());
      ManagedProcess server =
          ManagedProcess.start(lab.host.inside(udhcpd), Map.of(), lab.path("udhcpd.log"));
      lab.atTheEnd(server::close);
      Vm vm =
          Vm.builder(lab.files)
              .firmwareOnly()
              .memoryMib(256)
              .nic(lab.nic(1, "a").withBootRom())
              .start();
      lab.atTheEnd(vm::close);
      Awaitility.await("iPXE asks for an address: " + vm.log())
          .atMost(Duration.ofSeconds(40))
          .until(() -> lab.frames("vhost:", "tx0") > 1);
      System.out.println("iPXE drives the rings");
      vm.awaitBoot();
      assertTrue(lab.bytes("vhost:", "rx0") > 8_000_000, "Linux itself came through the rings");
      Lab.address(vm.shell(), 1);
      lab.assertTraffic(vm.shell(), 1);
      System.out.println("Linux took over from iPXE; traffic");
    }
  }
}
