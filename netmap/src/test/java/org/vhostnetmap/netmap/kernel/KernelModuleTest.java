// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/** What the kernel's device does beyond what any netmap device does, on a real module. */
final class KernelModuleTest {
  @BeforeEach
  void needsAModule() {
    RealModule.require();
  }

  private static String refusal(RegisterRequest request) throws Exception {
    KernelDevice device = KernelDevice.open();
    NetmapException e = assertThrows(NetmapException.class, () -> device.register(request));
    return e.toString();
  }

  @Test
  void isWhatTheProgramUsesUnlessAskedOtherwise() throws Exception {
    try (NetmapDevice device = Netmap.open(Netmap.Mode.AUTO).device()) {
      assertTrue(device instanceof KernelDevice, device.description());
      assertTrue(device.description().contains("NIOCCTRL"), device.description());
    }
  }

  @Test
  void tellsTheReasonThatTheKernelKeepsForItsLog() throws Exception {
    String unknown = refusal(RegisterRequest.of("nosuch0"));
    assertTrue(unknown.contains("no network interface of this name"), unknown);
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("km0", "km1");
          command("ip", "link", "set", "km0", "mtu", "9000");
          String mtu = refusal(RegisterRequest.of("km0"));
          assertTrue(mtu.contains("MTU is larger than netmap's buffers"), mtu);
          command("ip", "link", "add", "kmb", "type", "bridge");
          command("ip", "link", "set", "km1", "master", "kmb");
          String member = refusal(RegisterRequest.of("km1"));
          assertTrue(member.contains("bond or macvlan"), member);
          String vale = refusal(RegisterRequest.of("vale50:km1"));
          assertTrue(vale.contains("plugged in by VALE_ATTACH"), vale);
        });
    RegisterRequest monitor = RegisterRequest.of("vale51:x").withFlags(NetmapAbi.NR_MONITOR_RX);
    String idle = refusal(monitor);
    assertTrue(idle.contains("a monitor only looks at an open one"), idle);
  }

  @Test
  void makesPersistentPortsAndTakesThemAway() throws Exception {
    KernelDevice device = KernelDevice.open();
    NetworkNamespace.run(
        () -> {
          device.createInterface(RegisterRequest.of("kmp0").withRings(2, 2, 64, 64));
          assertTrue(command("ip", "link").contains("kmp0"));
          NetmapException twice =
              assertThrows(
                  NetmapException.class, () -> device.createInterface(RegisterRequest.of("kmp0")));
          assertEquals(Errno.EEXIST, twice.errno());
          PortInfo info = device.info("kmp0", 0);
          assertEquals(2, info.txRings());
          device.attach(RegisterRequest.of("vale52:kmp0"));
          assertTrue(
              device.valePorts().stream().anyMatch(port -> port.name().equals("vale52:kmp0")));
          device.detach("vale52:kmp0");
          device.deleteInterface("kmp0");
          assertFalse(command("ip", "link").contains("kmp0"));
        });
  }

  @Test
  void tellsHowAMemoryIsLaidOut() throws Exception {
    KernelDevice device = KernelDevice.open();
    try (NetmapPort port = device.register(RegisterRequest.of("vale53:p"))) {
      MemoryPools pools = device.pools("vale53:p");
      assertEquals(port.info().memoryId(), pools.memoryId());
      assertEquals(port.info().memoryBytes(), pools.memoryBytes());
      assertEquals(0, pools.interfaces().offset());
      assertEquals(2048, pools.buffers().objectBytes());
      NetmapRing ring = port.txRings().get(0);
      long start = ring.buffer(0) - ring.bufferIndex(0) * 2048 - pools.buffers().offset();
      assertEquals(0, start % 4096, "where the mapping begins");
      assertEquals(
          pools.memoryBytes(), pools.buffers().offset() + pools.buffers().objects() * 2048L);
    }
  }

  @Test
  void leavesNoDescriptorAndNoMappingAfter200Opens() throws Exception {
    KernelDevice device = KernelDevice.open();
    RegisterRequest request = RegisterRequest.of("vale54:p").withRings(1, 1, 64, 64);
    device.register(request).close();
    long descriptors = descriptors();
    long mappings = mappings();
    for (int i = 0; i < 200; i++) {
      try (NetmapPort one = device.register(request);
          NetmapPort other = device.register(request)) {
        assertEquals(one.buffer(2), other.buffer(2), "one mapping");
      }
    }
    assertEquals(descriptors, descriptors());
    assertEquals(mappings, mappings());
    assertEquals(List.of(), device.valePorts());
  }

  private static long descriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }

  private static long mappings() throws IOException {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("netmap")).count();
    }
  }

  /** Not as we would have it: what a thread has to reckon with that syncs a NIC of the kernel's. */
  @Test
  void waitsInTheKernelWhileTheInterfaceIsDown() throws Exception {
    onCable(
        (one, other) -> {
          command("ip", "link", "set", "km0", "down");
          Thread sync = Thread.ofPlatform().start(one::txSync);
          assertFalse(sync.join(Duration.ofSeconds(1)), "it has not waited");
          command("ip", "link", "set", "km0", "up");
          assertTrue(sync.join(Duration.ofSeconds(10)));
          assertTrue(one.failure().isEmpty());
          Awaitility.await()
              .pollInSameThread()
              .until(
                  () -> {
                    NetmapRing tx = one.txRings().get(0);
                    tx.set(tx.head(), 60, 0);
                    tx.advanceTo(tx.after(tx.head(), 1));
                    one.txSync();
                    other.rxSync();
                    return other.rxRings().get(0).space() > 0;
                  });
        });
  }

  @Test
  void tellsThatTheInterfaceWasTakenAway() throws Exception {
    onCable(
        (one, other) -> {
          Process delete = new ProcessBuilder("ip", "link", "del", "km0").start();
          Awaitility.await()
              .pollInSameThread()
              .until(
                  () -> {
                    one.rxSync();
                    return one.failure().isPresent();
                  });
          assertTrue(one.failure().orElseThrow().contains("taken away"));
          one.arm();
          one.txSync();
          one.close();
          other.close();
          assertTrue(delete.waitFor(10, TimeUnit.SECONDS));
        });
  }

  /** Both ends of a cable, opened. */
  private interface Body {
    void run(NetmapPort one, NetmapPort other) throws Exception;
  }

  private static void onCable(Body body) throws Exception {
    KernelDevice device = KernelDevice.open();
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("km0", "km1");
          RegisterRequest km0 = RegisterRequest.of("km0").withFlags(NetmapAbi.NR_EXCLUSIVE);
          RegisterRequest km1 = RegisterRequest.of("km1").withFlags(NetmapAbi.NR_EXCLUSIVE);
          try (NetmapPort one = device.register(km0);
              NetmapPort other = device.register(km1)) {
            body.run(one, other);
          }
        });
  }
}
