// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** The harness by itself, with DPDK's back-end: a failure here is none of our program. */
class HarnessIT {
  private static BackendProcess dpdk(Path socket) throws Exception {
    return BackendProcess.other(
        null,
        socket,
        List.of(
            "env",
            "RUNTIME_DIRECTORY=" + socket.getParent(),
            "dpdk-testpmd",
            "--no-huge",
            "-m",
            "128",
            "--no-pci",
            "--file-prefix=vnharness",
            "--lcores",
            "0@0,1@0",
            "--vdev",
            "net_vhost0,iface=" + socket,
            "--",
            "--no-mlockall",
            "--total-num-mbufs=2048",
            "--stats-period=60",
            "--auto-start",
            "--forward-mode=icmpecho"));
  }

  @Test
  void guestOfQemuPingsDpdk() throws Exception {
    GuestFiles files = GuestFiles.prepare();
    Path qmpSocketDirectory;
    try (var scratch = new Scratch();
        var backend = dpdk(scratch.path("s"));
        Vm vm = Vm.builder(files).nic(Nic.of(scratch.path("s"), "52:54:00:00:00:02")).boot()) {
      qmpSocketDirectory = vm.consoleSocket().getParent();
      vm.shell().get("ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up");
      assertTrue(vm.shell().run("ping -c 3 -w 10 10.0.0.1").ok());
      assertTrue(vm.shell().get("cat /proc/interrupts").contains("virtio0-input.0"));
      assertEquals(3, vm.shell().run("exit 3").status());
      assertEquals(143, vm.shell().run("sleep 60", Duration.ofSeconds(1)).status());
      assertEquals("running", vm.qmp().execute("query-status").at("status").string());
      assertTrue(backend.isAlive());
    }
    assertFalse(Files.exists(qmpSocketDirectory), "directory left behind");
  }

  @Test
  void shellOfUserModeLinuxAnswers() throws Exception {
    GuestFiles files = GuestFiles.prepare();
    try (var scratch = new Scratch();
        UmlVm vm = UmlVm.boot(files, scratch.path("nobody"))) {
      assertTrue(vm.shell().get("uname -a").contains("6.1"));
      assertTrue(vm.shell().get("/opt/bin/ip -V").contains("iproute2"));
    }
  }

  @Test
  void namespaceEndsWithItsObject() throws Exception {
    var namespace = new NetworkNamespace();
    namespace.tap("t0", "10.9.9.1/24");
    assertTrue(namespace.get("ip addr").contains("10.9.9.1"));
    assertEquals(-1, namespace.run("sleep 30", Duration.ofMillis(300)).status());
    namespace.close();
    assertFalse(namespace.run("true").ok());
  }

  @Test
  void whatWasLeftRunningInANamespaceEndsWithIt() throws Exception {
    String pid;
    try (var namespace = new NetworkNamespace()) {
      pid = namespace.get("sleep 1000 >/dev/null 2>&1 & echo $!").strip();
      assertTrue(Files.exists(Path.of("/proc/" + pid + "/ns/net")));
    }
    Awaitility.await()
        .atMost(Duration.ofSeconds(10))
        .until(() -> !Files.exists(Path.of("/proc/" + pid + "/ns/net")));
  }
}
