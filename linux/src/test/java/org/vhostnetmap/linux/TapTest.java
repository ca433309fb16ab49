// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.util.HexFormat;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.libc.Native;

class TapTest {
  private static final int O_RDWR = 2;
  private static final int FRAME = 2048;

  /** Who has 192.0.2.1? Tell 02:00:00:00:00:02 at 192.0.2.2. */
  private static final byte[] ARP_REQUEST =
      HexFormat.of()
          .parseHex(
              "ffffffffffff"
                  + "020000000002"
                  + "0806"
                  + "0001080006040001"
                  + "020000000002"
                  + "c0000202"
                  + "000000000000"
                  + "c0000201");

  @BeforeEach
  void needsTheDevice() {
    int fd = Native.C.open("/dev/net/tun", O_RDWR, 0);
    int error = fd < 0 ? Native.errno() : 0;
    Assumptions.assumeTrue(fd >= 0, () -> "no TAPs here: /dev/net/tun: " + Errno.describe(error));
    new Fd(fd).close();
  }

  @Test
  void carriesAFrameEachWay() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (Tap tap = Tap.open("vnm-test");
              Mapping memory = Mapping.anonymous(2 * FRAME)) {
            Ip.run("addr", "add", "192.0.2.1/24", "dev", "vnm-test");
            long out = memory.address();
            Memory.copyFromArray(ARP_REQUEST, 0, out, ARP_REQUEST.length);
            assertEquals(ARP_REQUEST.length, Tap.write(tap.fd(), out, ARP_REQUEST.length));
            assertEquals("0806", awaitReply(tap, out + FRAME));
          }
          return null;
        });
  }

  @Test
  void writesAndReadsAFrameInPieces() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (Tap tap = Tap.open("vnm-test");
              Mapping memory = Mapping.anonymous(2 * FRAME)) {
            Ip.run("addr", "add", "192.0.2.1/24", "dev", "vnm-test");
            long out = memory.address();
            Memory.copyFromArray(ARP_REQUEST, 0, out + 64, ARP_REQUEST.length);
            iovec(out, out + 64, 14);
            iovec(out + 16, out + 78, ARP_REQUEST.length - 14);
            assertEquals(ARP_REQUEST.length, Tap.writev(tap.fd(), out, 2));
            assertEquals("0806", awaitReply(tap, out + FRAME));
          }
          return null;
        });
  }

  private static void iovec(long at, long address, int length) {
    Memory.putLong(at, address);
    Memory.putLong(at + 8, length);
  }

  /**
   * The type of the first frame from the host to the asker, as hex; other frames are IPv6's own.
   */
  private static String awaitReply(Tap tap, long buffer) throws Exception {
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(tap.fd(), Epoll.IN, 1);
      while (epoll.await(5000) > 0) {
        int length = Tap.read(tap.fd(), buffer, FRAME);
        assertTrue(length > 14, "read answered " + length);
        byte[] header = new byte[14];
        Memory.copyToArray(buffer, header, 0, header.length);
        String hex = HexFormat.of().formatHex(header);
        if (hex.startsWith("020000000002")) {
          return hex.substring(24);
        }
      }
      return "no frame within 5 s";
    }
  }

  @Test
  void isUpAndTellsItsNameAndMtu() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (Tap tap = Tap.open("vnm-test")) {
            assertEquals("vnm-test", tap.name());
            assertEquals(1500, tap.mtu());
            Ip.run("link", "set", "vnm-test", "mtu", "9000");
            assertEquals(9000, tap.mtu());
            tap.setUp();
          }
          return null;
        });
  }

  @Test
  void vanishesWithItsOwner() throws Exception {
    NetworkNamespace.run(
        () -> {
          Tap tap = Tap.open("vnm-test");
          tap.close();
          tap.close();
          assertEquals(Errno.ENODEV, assertThrows(ErrnoException.class, tap::mtu).errno());
          return null;
        });
  }

  @Test
  void joinsAPersistentOneAndLeavesIt() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.run("tuntap", "add", "dev", "vnm-kept", "mode", "tap");
          try (Tap tap = Tap.open("vnm-kept")) {
            assertEquals(1500, tap.mtu());
          }
          Ip.run("link", "show", "vnm-kept");
          return null;
        });
  }

  @Test
  void oneInUseIsBusyAndNoDescriptorStays() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (Tap tap = Tap.open("vnm-test")) {
            long before = OpenFiles.files();
            ErrnoException busy = assertThrows(ErrnoException.class, () -> Tap.open(tap.name()));
            assertEquals(Errno.EBUSY, busy.errno());
            assertTrue(busy.toString().contains("vnm-test"), busy.getMessage());
            assertEquals(before, OpenFiles.files());
          }
          return null;
        });
  }

  @Test
  void spreadsTheHostsFlowsOverItsQueues() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (Tap tap = Tap.create("vnm%d", 4);
              Mapping memory = Mapping.anonymous(FRAME)) {
            assertEquals("vnm0", tap.name());
            assertEquals(4, tap.queues());
            tap.setUp();
            Ip.run("addr", "add", "192.0.2.1/24", "dev", "vnm0");
            Ip.run("neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "vnm0");
            int frames = sendFromManyPorts();
            int queuesInUse = 0;
            int read = 0;
            for (int queue = 0; queue < 4; queue++) {
              int before = read;
              while (Tap.read(tap.fd(queue), memory.address(), FRAME) > 0) {
                read++;
              }
              queuesInUse += read > before ? 1 : 0;
            }
            assertTrue(read >= frames, read + " frames read of " + frames);
            assertTrue(queuesInUse > 1, "64 flows in one queue");
            for (int queue = 0; queue < 4; queue++) {
              tap.setQueueUsed(queue, queue == 2);
            }
            sendFromManyPorts();
            for (int queue = 0; queue < 4; queue++) {
              int length = Tap.read(tap.fd(queue), memory.address(), FRAME);
              assertTrue(queue == 2 ? length > 0 : length < 0, "queue " + queue + ": " + length);
            }
            tap.setQueueUsed(2, false);
            while (Tap.read(tap.fd(2), memory.address(), FRAME) > 0) {}
            sendFromManyPorts();
            assertTrue(Tap.read(tap.fd(2), memory.address(), FRAME) < 0, "nobody's queue");
          }
          return null;
        });
  }

  private static int sendFromManyPorts() throws Exception {
    int count = 64;
    for (int i = 0; i < count; i++) {
      try (DatagramSocket socket = new DatagramSocket()) {
        InetAddress to = InetAddress.getByName("192.0.2.2");
        socket.send(new DatagramPacket(new byte[20], 20, to, 9));
      }
    }
    return count;
  }

  @Test
  void refusesNamesThatCannotBe() {
    for (String name : new String[] {"", "sixteen-bytes-xx"}) {
      assertEquals(Errno.EINVAL, assertThrows(ErrnoException.class, () -> Tap.open(name)).errno());
    }
  }
}
