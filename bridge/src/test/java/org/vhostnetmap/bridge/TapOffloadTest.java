// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.ErrnoException;

/** Work left undone between guests and the host's own stack, by a TAP with virtio-net headers. */
final class TapOffloadTest {
  private static final String NAME = "vnmoffl0";
  private static final long HOST_MAC = 0x020000000099L;
  private static final long GUEST_MAC = Frames.mac(1);

  /** What a test does when the host end is 198.18.0.1 and the guest's 198.18.0.2. */
  private interface Body {
    void run(Lan lan, Guest guest) throws Exception;
  }

  private static void inNamespace(long features, Body body) throws Exception {
    Namespace.run(
        () -> {
          try (Lan lan = new Lan()) {
            Guest guest = lan.offloading().taking(Guest.VERSION_1 | Guest.MRG_RXBUF | features);
            lan.add(open()).start();
            Namespace.sh("ip link set " + NAME + " address 02:00:00:00:00:99 mtu 1500");
            Namespace.sh("ip addr add 198.18.0.2/24 dev " + NAME);
            Namespace.sh(
                "ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 nud permanent dev " + NAME);
            guest.up().buffers(200, 2048);
            body.run(lan, guest);
          }
        });
  }

  private static TapPort open() {
    try {
      return new TapPort("tap:" + NAME, NAME);
    } catch (ErrnoException refused) {
      Assumptions.abort("no TAP can be made here: " + refused.getMessage());
      throw new IllegalStateException(refused);
    }
  }

  @Test
  void aPartialChecksumOfAGuestIsTakenByTheHostsStack() throws Exception {
    inNamespace(
        Guest.LEAVES,
        (lan, guest) -> {
          Packet packet = Packet.udp4(100);
          try (DatagramSocket socket = new DatagramSocket(9, InetAddress.getByName("198.18.0.2"))) {
            socket.setSoTimeout(5000);
            guest.sendWith(packet.checksumHeader(12), packet.frame(HOST_MAC, GUEST_MAC));
            DatagramPacket got = new DatagramPacket(new byte[2000], 2000);
            socket.receive(got);
            assertArrayEquals(packet.data(), java.util.Arrays.copyOf(got.getData(), 100));
          }
        });
  }

  @Test
  void datagramsThatAGuestLeavesInOnePieceReachTheHostsStackOneByOne() throws Exception {
    inNamespace(
        Guest.LEAVES,
        (lan, guest) -> {
          Packet packet = Packet.udp4(5000);
          try (DatagramSocket socket = new DatagramSocket(9, InetAddress.getByName("198.18.0.2"))) {
            socket.setSoTimeout(5000);
            guest.sendWith(packet.segmentHeader(12, 1200), packet.frame(HOST_MAC, GUEST_MAC));
            ByteBuffer all = ByteBuffer.allocate(5000);
            for (int expected : new int[] {1200, 1200, 1200, 1200, 200}) {
              DatagramPacket got = new DatagramPacket(new byte[2000], 2000);
              socket.receive(got);
              assertEquals(expected, got.getLength());
              all.put(got.getData(), 0, got.getLength());
            }
            assertArrayEquals(packet.data(), all.array());
          }
          assertEquals(1, lan.queue("tap:" + NAME, "out").frames());
        });
  }

  /** The host cuts what the guest does not take; what it takes comes undone. */
  @Test
  void datagramsOfTheHostsStackComeInOnePieceToWhoTakesThemAndCutToOthers() throws Exception {
    for (boolean takes : new boolean[] {true, false}) {
      inNamespace(
          takes ? Guest.TAKES : 0,
          (lan, guest) -> {
            byte[] data = new byte[5000];
            new Random(5).nextBytes(data);
            sendInSegments(data);
            List<Guest.Received> got = new ArrayList<>();
            Lan.await(
                "the data",
                () -> {
                  got.addAll(guest.receiveWithHeaders(0, 0));
                  got.removeIf(r -> !isOurs(r.frame()));
                  return got.stream().mapToInt(r -> r.frame().length - 42).sum() >= 5000;
                });
            if (takes) {
              assertEquals(1, got.size(), "in one piece");
              byte[] header = got.getFirst().header();
              assertEquals(1, header[0], "NEEDS_CSUM");
              assertEquals(5, header[1], "UDP_L4");
              assertEquals(42, header[2], "hdr_len");
              assertEquals(1200, (header[4] & 0xff) | (header[5] & 0xff) << 8);
            } else {
              assertEquals(5, got.size(), "cut");
              Packet kind = Packet.udp4(0);
              got.forEach(r -> kind.verify(r.frame()));
              assertEquals(5, lan.queue("guest0", "rx0").segments());
            }
          });
    }
  }

  private static boolean isOurs(byte[] frame) {
    return frame.length > 42 && ByteBuffer.wrap(frame).getShort(36) == 4711;
  }

  /**
   * UDP_SEGMENT has no name in Java: the segments of one send are made by sending a connected run.
   */
  private static void sendInSegments(byte[] data) throws Exception {
    String hex = java.util.HexFormat.of().formatHex(data);
    java.nio.file.Path file = java.nio.file.Files.createTempFile("segments", ".hex");
    try {
      java.nio.file.Files.writeString(file, hex);
      Namespace.sh(
          "python3 -c \"import socket;"
              + "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
              + "s.setsockopt(17,103,1200);"
              + "s.sendto(bytes.fromhex(open('"
              + file
              + "').read()),('198.18.0.1',4711))\"");
    } finally {
      java.nio.file.Files.delete(file);
    }
  }
}
