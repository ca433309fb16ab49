// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** A NIC comes into a switch and leaves it. */
final class AttachedNicTest {
  private final NetmapDevice device = Netmap.emulated();

  private static long entries(String directory) throws IOException {
    try (Stream<Path> paths = Files.list(Path.of(directory))) {
      return paths.count();
    }
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("netmap-vale"))
        .count();
  }

  private void plugAndUnplug() throws Exception {
    device.attach(RegisterRequest.of("vale0:vat0").with(PortMode.NIC_AND_HOST, 0));
    assertEquals(1, threads());
    assertEquals(
        List.of("vale0:vat0", "vale0:vat0^"),
        device.valePorts().stream().map(NetmapDevice.ValePort::name).toList());
    device.detach("vale0:vat0");
  }

  @Test
  void fiftyVisitsLeaveNothing() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vat0", "vat1");
          plugAndUnplug();
          long files = entries("/proc/self/fd");
          for (int i = 0; i < 50; i++) {
            plugAndUnplug();
          }
          assertEquals(0, threads());
          assertEquals(List.of(), device.valePorts());
          // Other threads of the JVM open and close files as well.
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(() -> entries("/proc/self/fd") <= files);
          String link = command("ip", "-d", "link", "show", "vat0");
          assertTrue(!link.contains("xdp"), link);
        });
  }

  @Test
  void aNicThatIsTakenAwayIsLetGoAndTheOtherPortsGoOn() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vat0", "vat1");
          device.attach(RegisterRequest.of("vale0:vat0"));
          try (NetmapPort a = device.register(RegisterRequest.of("vale0:a"));
              NetmapPort b = device.register(RegisterRequest.of("vale0:b"))) {
            command("ip", "link", "del", "vat0");
            Awaitility.await().atMost(Duration.ofSeconds(5)).until(() -> threads() == 0);
            NetmapRing ring = a.txRings().get(0);
            Memory.fill(ring.buffer(ring.head()), 60, 0xff);
            ring.set(ring.head(), 60, 0);
            ring.advanceTo(ring.after(ring.head(), 1));
            a.txSync();
            b.rxSync();
            assertEquals(1, b.rxRings().get(0).space());
            device.detach("vale0:vat0");
            assertEquals(2, device.valePorts().size());
          }
        });
  }
}
