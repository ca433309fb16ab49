// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;

/** NICs by AF_XDP as a user of the emulated device meets them. */
class XdpPortTest {
  private static final int FRAMES = 1_000_000;
  private static final int LENGTH = 64;

  @BeforeEach
  void needsTheRight() {
    try {
      Bpf.createXskMap(1).close();
    } catch (ErrnoException e) {
      Assumptions.abort("no right to use AF_XDP: " + e.getMessage());
    }
  }

  private static NetmapDevice device() {
    HostRings.Factory noHost =
        (nic, tx, rx) -> {
          throw new NetmapException("not here", 95);
        };
    return new EmulatedDevice(List.of(new NicPorts(List.of(new XdpFactory()), noHost)), null);
  }

  @Test
  void carriesAMillionFramesInOrderWithoutLoss() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          try (NetmapDevice device = device();
              NetmapPort sender = device.register(RegisterRequest.of("vnm0"));
              NetmapPort receiver = device.register(RegisterRequest.of("vnm1"))) {
            NetmapRing out = sender.txRings().get(0);
            NetmapRing in = receiver.rxRings().get(0);
            int sent = 0;
            int received = 0;
            while (received < FRAMES) {
              // No more on the way than the receiver's ring holds: a veth loses the rest.
              sent += send(out, sent, Math.min(128, FRAMES - sent), received + in.slots() / 2);
              sender.txSync();
              receiver.rxSync();
              received += check(in, received);
            }
            assertEquals(List.of(), sender.drops());
            assertEquals(List.of(), receiver.drops());
          }
        });
  }

  private static int send(NetmapRing ring, int from, int count, int most) {
    int frames = Math.max(0, Math.min(Math.min(ring.space(), count), most - from));
    int slot = ring.head();
    for (int i = 0; i < frames; i++) {
      long frame = ring.buffer(slot);
      Memory.putLong(frame, 0x0000_0200_0000_0002L);
      Memory.putInt(frame + 12, 0xb588);
      Memory.putLong(frame + LENGTH - 8, from + i);
      ring.set(slot, LENGTH, 0);
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return frames;
  }

  private static int check(NetmapRing ring, int from) {
    int frames = ring.space();
    int slot = ring.head();
    for (int i = 0; i < frames; i++) {
      assertEquals(LENGTH, ring.length(slot));
      assertEquals(from + i, Memory.getLong(ring.buffer(slot) + LENGTH - 8));
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return frames;
  }

  @Test
  void wakesASleeperAndSleepsOnWhenThereIsNothing() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          try (NetmapDevice device = device();
              NetmapPort sender = device.register(RegisterRequest.of("vnm0"));
              NetmapPort receiver = device.register(RegisterRequest.of("vnm1"));
              Epoll epoll = new Epoll(1)) {
            epoll.add(receiver.fd(), Epoll.IN, 1);
            for (int i = 0; i < 100; i++) {
              receiver.arm();
              receiver.rxSync();
              assertEquals(0, epoll.await(0));
              send(sender.txRings().get(0), i, 1, FRAMES);
              sender.txSync();
              assertEquals(1, epoll.await(5000));
              receiver.disarm();
              receiver.rxSync();
              assertEquals(1, check(receiver.rxRings().get(0), i));
            }
          }
        });
  }

  @Test
  void twoHundredOpensLeaveNothingBehind() throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("vnm0", "vnm1");
          try (NetmapDevice device = device()) {
            device.register(RegisterRequest.of("vnm0")).close();
            long files = entries("/proc/self/fd");
            long mappings = lines("/proc/self/maps");
            long threads = entries("/proc/self/task");
            for (int i = 0; i < 200; i++) {
              device.register(RegisterRequest.of("vnm0")).close();
            }
            assertEquals(files, entries("/proc/self/fd"));
            assertTrue(lines("/proc/self/maps") <= mappings + 20, "mappings");
            assertTrue(entries("/proc/self/task") <= threads + 2, "threads");
          }
          assertFalse(command("ip", "link", "show", "vnm0").contains("xdp"));
        });
  }

  private static long entries(String directory) throws IOException {
    try (Stream<Path> entries = Files.list(Path.of(directory))) {
      return entries.count();
    }
  }

  private static long lines(String file) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of(file))) {
      return lines.count();
    }
  }

  @Test
  void usersOfOneQueueEachComeAndGoOnTheirOwn() throws Exception {
    NetworkNamespace.run(
        () -> {
          String ends = "numtxqueues 2 numrxqueues 2";
          command(("ip link add vnm0 " + ends + " type veth peer name vnm1 " + ends).split(" "));
          command("ip", "link", "set", "vnm0", "addrgenmode", "none", "up");
          command("ip", "link", "set", "vnm1", "addrgenmode", "none", "up");
          try (NetmapDevice device = device();
              NetmapPort sender = device.register(RegisterRequest.of("vnm0"))) {
            RegisterRequest one = RegisterRequest.of("vnm1").withFlags(NetmapAbi.NR_EXCLUSIVE);
            try (NetmapPort stays = device.register(one.with(PortMode.ONE_NIC, 1))) {
              int sent = 0;
              for (int i = 0; i < 5; i++) {
                try (NetmapPort comes = device.register(one.with(PortMode.ONE_NIC, 0))) {
                  assertArrives(sender, 0, comes, 0);
                  assertArrives(sender, 1, stays, sent++);
                }
                assertArrives(sender, 1, stays, sent++);
              }
            }
          }
        });
  }

  private static void assertArrives(NetmapPort sender, int ring, NetmapPort receiver, int number) {
    assertEquals(1, send(sender.txRings().get(ring), number, 1, FRAMES));
    sender.txSync();
    NetmapRing in = receiver.rxRings().get(0);
    long end = System.nanoTime() + 5_000_000_000L;
    while (in.space() == 0 && System.nanoTime() - end < 0) {
      receiver.rxSync();
    }
    assertEquals(1, check(in, number));
  }
}
