// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/** One flow, one number, in both directions and however its frames are cut into segments. */
final class FlowHashTest {
  private static final int TCP = 6;
  private static final int UDP = 17;
  private static final int ICMP = 1;
  private static Mapping memory;

  private final Burst burst = new Burst();

  @BeforeAll
  static void map() throws Exception {
    memory = Mapping.anonymous(65536);
  }

  @AfterAll
  static void unmap() {
    memory.close();
  }

  private int hash(byte[] frame) {
    burst.clear();
    Memory.copyFromArray(frame, 0, memory.address(), frame.length);
    burst.append(memory.address(), frame.length);
    return FlowHash.of(burst, 0);
  }

  /** The same frame in pieces of the given length, each at a place of its own. */
  private int hashInPieces(byte[] frame, int piece) {
    burst.clear();
    int segments = 0;
    for (int at = 0; at < frame.length; at += piece) {
      int part = Math.min(piece, frame.length - at);
      long to = memory.address() + 16384 + 128L * segments;
      Memory.copyFromArray(frame, at, to, part);
      burst.table.segmentAddress[segments] = to;
      burst.table.segmentLength[segments++] = part;
    }
    burst.count = 1;
    burst.set(0, 0, segments, frame.length);
    return FlowHash.of(burst, 0);
  }

  private static byte[] ethernet(long destination, long source, int vlan, int type, byte[] packet) {
    ByteBuffer frame = ByteBuffer.allocate(14 + (vlan > 0 ? 4 : 0) + packet.length);
    frame.putShort((short) (destination >>> 32)).putInt((int) destination);
    frame.putShort((short) (source >>> 32)).putInt((int) source);
    if (vlan > 0) {
      frame.putShort((short) 0x8100).putShort((short) vlan);
    }
    return frame.putShort((short) type).put(packet).array();
  }

  private static byte[] ipv4(int from, int to, int protocol, int ports, int fragment, int words) {
    ByteBuffer packet = ByteBuffer.allocate(words * 4 + 20);
    packet.put((byte) (0x40 | words)).position(6);
    packet.putShort((short) fragment).put((byte) 64).put((byte) protocol).putShort((short) 0);
    packet.putInt(from).putInt(to).position(words * 4);
    return packet.putInt(ports).array();
  }

  private static byte[] ipv6(long from, long to, int protocol, int ports) {
    ByteBuffer packet = ByteBuffer.allocate(60);
    packet.putInt(0x60000000).putShort((short) 20).put((byte) protocol).put((byte) 64);
    packet.putLong(0x2001_0db8L << 32).putLong(from).putLong(0x2001_0db8L << 32).putLong(to);
    return packet.putInt(ports).array();
  }

  private static int swap(int ports) {
    return ports << 16 | ports >>> 16;
  }

  private static byte[] v4(int from, int to, int protocol, int ports) {
    return ethernet(2, 4, 0, 0x0800, ipv4(from, to, protocol, ports, 0x4000, 5));
  }

  @Test
  void bothDirectionsOfATcpOrUdpFlowGiveTheSameNumber() {
    Random random = new Random(5);
    for (int i = 0; i < 1000; i++) {
      int from = random.nextInt();
      int to = random.nextInt();
      int ports = random.nextInt();
      int protocol = random.nextBoolean() ? TCP : UDP;
      assertEquals(hash(v4(from, to, protocol, ports)), hash(v4(to, from, protocol, swap(ports))));
      byte[] there = ethernet(2, 4, 0, 0x86dd, ipv6(from, to, protocol, ports));
      byte[] back = ethernet(4, 2, 0, 0x86dd, ipv6(to, from, protocol, swap(ports)));
      assertEquals(hash(there), hash(back));
    }
  }

  @Test
  void aVlanTagChangesNothing() {
    byte[] packet = ipv4(1, 2, TCP, 0x12345678, 0, 5);
    int plain = hash(ethernet(2, 4, 0, 0x0800, packet));
    assertEquals(plain, hash(ethernet(2, 4, 5, 0x0800, packet)));
    assertNotEquals(plain, hash(ethernet(2, 4, 5, 0x0800, ipv4(1, 2, TCP, 0x12345679, 0, 5))));
  }

  @Test
  void portsAreFoundBehindIpOptions() {
    byte[] one = ethernet(2, 4, 0, 0x0800, ipv4(1, 2, UDP, 0x11112222, 0, 15));
    byte[] other = ethernet(2, 4, 0, 0x0800, ipv4(1, 2, UDP, 0x11112223, 0, 15));
    assertNotEquals(hash(one), hash(other));
  }

  @Test
  void allFragmentsOfADatagramGiveOneNumber() {
    Set<Integer> numbers = new HashSet<>();
    for (int fragment : new int[] {0x2000, 0x2001, 0x3fff, 0x0001, 0x1fff}) {
      numbers.add(hash(ethernet(2, 4, 0, 0x0800, ipv4(1, 2, UDP, fragment * 77, fragment, 5))));
    }
    assertEquals(1, numbers.size());
  }

  @Test
  void protocolsWithoutPortsGoByAddresses() {
    assertEquals(hash(v4(1, 2, ICMP, 0x0800)), hash(v4(2, 1, ICMP, 0x0001)));
    assertNotEquals(hash(v4(1, 2, ICMP, 0)), hash(v4(1, 3, ICMP, 0)));
  }

  @Test
  void otherFramesGoByMacAddresses() {
    byte[] arp = ethernet(2, 4, 0, 0x0806, new byte[46]);
    assertEquals(hash(arp), hash(ethernet(4, 2, 0, 0x0806, new byte[28])));
    assertNotEquals(hash(arp), hash(ethernet(2, 6, 0, 0x0806, new byte[46])));
  }

  @Test
  void cutsIntoSegmentsChangeNothing() {
    for (byte[] frame :
        new byte[][] {
          v4(1, 2, TCP, 0x12345678),
          ethernet(2, 4, 7, 0x86dd, ipv6(9, 8, UDP, 0x12345678)),
          ethernet(2, 4, 0, 0x0806, new byte[46])
        }) {
      for (int piece = 1; piece < frame.length; piece++) {
        assertEquals(hash(frame), hashInPieces(frame, piece), "pieces of " + piece);
      }
    }
  }

  @Test
  void headersCutShortGiveANumberAndReadNothingBeyondTheFrame() {
    byte[] whole = ethernet(2, 4, 0, 0x0800, ipv4(1, 2, TCP, 0x12345678, 0, 15));
    for (int length = Burst.SHORTEST_FRAME; length < whole.length; length++) {
      byte[] cut = java.util.Arrays.copyOf(whole, length);
      Memory.fill(memory.address(), 4096, 0);
      int quiet = hash(cut);
      Memory.fill(memory.address(), 4096, 0xff);
      assertEquals(quiet, hash(cut), "cut to " + length);
      assertTrue(quiet >= 0);
    }
  }

  @Test
  void flowsFromOneHostToAnotherSpreadOverEightRingsByTheirPortsAlone() {
    for (int step : new int[] {1, 2, 256}) {
      int[] rings = new int[8];
      for (int flow = 0; flow < 240; flow++) {
        int port = 0x8000 + (flow * step & 0x7fff);
        rings[hash(v4(0x0a000001, 0x0a000002, TCP, port << 16 | 80)) % 8]++;
      }
      for (int count : rings) {
        assertTrue(count > 5, step + ": " + java.util.Arrays.toString(rings));
      }
    }
  }

  @Test
  void hostsOfOneNetworkSpreadOverEightRingsByTheirAddressesAlone() {
    int[] rings = new int[8];
    for (int host = 1; host < 255; host++) {
      rings[hash(v4(0x0a000000 + host, 0x0a000001, ICMP, 0)) % 8]++;
    }
    for (int count : rings) {
      assertTrue(count > 10, java.util.Arrays.toString(rings));
    }
  }
}
