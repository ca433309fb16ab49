// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.bridge.Frames.BROADCAST;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.net.DatagramPacket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.MulticastSocket;
import java.net.NetworkInterface;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;

/** A TAP of the host, with the host's own stack at its other end. */
final class TapPortTest {
  private static final String NAME = "vnmtest0";

  private static TapPort open() {
    try {
      return new TapPort("tap:" + NAME, NAME);
    } catch (ErrnoException refused) {
      Assumptions.abort("no TAP can be made here: " + refused.getMessage());
      throw new IllegalStateException(refused);
    }
  }

  private static long statistic(String which) {
    try {
      return Long.parseLong(
          Files.readString(Path.of("/sys/class/net", NAME, "statistics", which)).strip());
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void framesReachTheHostStackHoweverManySegmentsTheyHave() throws Exception {
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(open()).start();
      a.up();
      long before = statistic("rx_bytes");
      byte[] frame = frame(BROADCAST, mac(1), 1000, 1);
      a.send(frame);
      byte[][] pieces = new byte[101][];
      pieces[0] = new byte[12];
      for (int i = 0; i < 100; i++) {
        pieces[i + 1] = java.util.Arrays.copyOfRange(frame, 10 * i, 10 * i + 10);
      }
      a.transmitRing(0).send(pieces);
      a.frontend.kick(1);
      Lan.await("two frames", () -> lan.queue("tap:" + NAME, "out").frames() == 2);
      assertEquals(2000, lan.queue("tap:" + NAME, "out").bytes());
      Lan.await("the host's count", () -> statistic("rx_bytes") - before >= 2000);
    }
  }

  @Test
  void framesOfTheHostStackReachAGuest() throws Exception {
    Assumptions.assumeTrue(
        Files.exists(Path.of("/proc/net/if_inet6")), "the host has no IPv6 to send by");
    try (Lan lan = new Lan()) {
      Guest a = lan.guest(1);
      lan.add(open()).start();
      a.up().buffers(200, 2048);
      byte[] payload = new byte[500];
      java.util.Arrays.fill(payload, (byte) 0x77);
      List<byte[]> got = new ArrayList<>();
      Lan.await(
          "a datagram",
          () -> {
            send(payload);
            got.addAll(a.receive());
            return got.stream().anyMatch(TapPortTest::isOurs);
          });
      byte[] ours = got.stream().filter(TapPortTest::isOurs).findFirst().orElseThrow();
      assertArrayEquals(
          payload, java.util.Arrays.copyOfRange(ours, ours.length - 500, ours.length));
    }
  }

  /** UDP over IPv6 to port 9, of the right length. */
  private static boolean isOurs(byte[] frame) {
    return frame.length == 14 + 40 + 8 + 500 && ByteBuffer.wrap(frame).getShort(56) == 9;
  }

  /** To all nodes: needs no address but the one that the interface gives itself in a second. */
  private static void send(byte[] payload) {
    byte[] group = new byte[16];
    group[0] = (byte) 0xff;
    group[1] = 2;
    group[15] = 1;
    try (MulticastSocket socket = new MulticastSocket((InetSocketAddress) null)) {
      NetworkInterface tap = NetworkInterface.getByName(NAME);
      InetAddress all = Inet6Address.getByAddress("ff02::1", group, tap);
      socket.send(new DatagramPacket(payload, payload.length, all, 9));
    } catch (java.io.IOException notYet) {
      LockSupport.parkNanos(10_000_000); // its address is still being checked for duplicates
    }
  }
}
