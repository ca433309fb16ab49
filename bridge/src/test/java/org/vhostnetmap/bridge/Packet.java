// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A TCP or UDP packet as a driver leaves it that has its checksum and its segmentation done by the
 * device; and a reader of what comes out, byte by byte, that shares nothing with the code under
 * test.
 *
 * @param tags VLAN tags
 * @param ipBytes of IPv4 options, or of an IPv6 extension header
 * @param tcpBytes of TCP options
 */
@SuppressWarnings("ArrayRecordComponent") // found again by being the same
record Packet(
    boolean ipv6, boolean tcp, int tags, int ipBytes, int tcpBytes, int tcpFlags, byte[] data) {
  static final int FIRST_ID = 0xfffe;
  static final int FIRST_SEQUENCE = 0xfffffff0;
  static final int FIN = 1;
  static final int PSH = 8;
  static final int ACK = 16;
  static final int CWR = 128;

  /** All that differ in where their headers are. */
  static List<Packet> kinds(int dataBytes) {
    byte[] data = new byte[dataBytes];
    new Random(dataBytes).nextBytes(data);
    List<Packet> all = new ArrayList<>();
    for (int tags = 0; tags <= 2; tags++) {
      for (int ip : new int[] {0, 8, 40}) {
        for (boolean ipv6 : new boolean[] {false, true}) {
          all.add(new Packet(ipv6, true, tags, ip, 12, CWR | ACK | PSH | FIN, data));
          all.add(new Packet(ipv6, false, tags, ip, 0, 0, data));
        }
      }
    }
    return all;
  }

  static Packet tcp4(int dataBytes) {
    return kinds(dataBytes).stream().filter(p -> p.tcp && !p.ipv6).findFirst().orElseThrow();
  }

  static Packet tcp6(int dataBytes) {
    return kinds(dataBytes).stream().filter(p -> p.tcp && p.ipv6).findFirst().orElseThrow();
  }

  static Packet udp4(int dataBytes) {
    return kinds(dataBytes).stream().filter(p -> !p.tcp && !p.ipv6).findFirst().orElseThrow();
  }

  static Packet udp6(int dataBytes) {
    return kinds(dataBytes).stream().filter(p -> !p.tcp && p.ipv6).findFirst().orElseThrow();
  }

  Packet withFlags(int flags) {
    return new Packet(ipv6, tcp, tags, ipBytes, tcpBytes, flags, data);
  }

  Packet withData(byte[] other) {
    return new Packet(ipv6, tcp, tags, ipBytes, tcpBytes, tcpFlags, other);
  }

  int ip() {
    return 14 + 4 * tags;
  }

  int transport() {
    return ip() + (ipv6 ? 40 : 20) + ipBytes;
  }

  int headers() {
    return transport() + (tcp ? 20 + tcpBytes : 8);
  }

  int checksumOffset() {
    return tcp ? 16 : 6;
  }

  /** VIRTIO_NET_HDR_GSO_TCPV4, TCPV6 or UDP_L4. */
  int gsoType() {
    return tcp ? ipv6 ? 4 : 1 : 5;
  }

  /** The frame, its checksum field holding the sum of the pseudo-header alone. */
  byte[] frame(long destination, long source) {
    ByteBuffer out = ByteBuffer.allocate(headers() + data.length);
    out.putShort((short) (destination >>> 32)).putInt((int) destination);
    out.putShort((short) (source >>> 32)).putInt((int) source);
    for (int tag = 0; tag < tags; tag++) {
      out.putShort((short) (tag == 0 && tags == 2 ? 0x88a8 : 0x8100)).putShort((short) (7 + tag));
    }
    out.putShort((short) (ipv6 ? 0x86dd : 0x0800));
    int rest = out.capacity() - transport();
    int protocol = tcp ? 6 : 17;
    if (ipv6) {
      out.putInt(0x60012345).putShort((short) (ipBytes + rest));
      out.put((byte) (ipBytes > 0 ? 60 : protocol)).put((byte) 64);
      for (int i = 0; i < 32; i++) {
        out.put((byte) (0xf0 + i));
      }
      if (ipBytes > 0) {
        out.put((byte) protocol).put((byte) (ipBytes / 8 - 1)).put(new byte[ipBytes - 2]);
      }
    } else {
      out.put((byte) (0x45 + ipBytes / 4)).put((byte) 0).putShort((short) (20 + ipBytes + rest));
      out.putShort((short) FIRST_ID).putShort((short) 0x4000).put((byte) 64).put((byte) protocol);
      out.putShort((short) 0).putInt(0xc6120001).putInt(0xc6120002).put(new byte[ipBytes]);
    }
    out.putShort((short) 4000).putShort((short) 9);
    if (tcp) {
      out.putInt(FIRST_SEQUENCE).putInt(77).put((byte) ((5 + tcpBytes / 4) << 4));
      out.put((byte) tcpFlags).putShort((short) 512).putInt(0).put(new byte[tcpBytes]);
    } else {
      out.putShort((short) rest).putShort((short) 0);
    }
    byte[] frame = out.put(data).array();
    if (!ipv6) {
      putShort(frame, ip() + 10, ~sum(frame, ip(), transport(), 0));
    }
    putShort(frame, transport() + checksumOffset(), pseudoHeader(frame, rest));
    return frame;
  }

  /** The virtio-net header that asks for the checksum alone. */
  byte[] checksumHeader(int headerBytes) {
    return header(headerBytes, 1, 0, 0, 0, transport(), checksumOffset());
  }

  /** The virtio-net header that asks for segments. */
  byte[] segmentHeader(int headerBytes, int gsoSize) {
    int type = gsoType() | ((tcpFlags & CWR) != 0 && tcp ? 0x80 : 0);
    return header(headerBytes, 1, type, headers(), gsoSize, transport(), checksumOffset());
  }

  static byte[] header(
      int bytes, int flags, int type, int hdrLen, int gsoSize, int csumStart, int csumOffset) {
    ByteBuffer out = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    out.put((byte) flags).put((byte) type).putShort((short) hdrLen).putShort((short) gsoSize);
    return out.putShort((short) csumStart).putShort((short) csumOffset).array();
  }

  private static void putShort(byte[] bytes, int at, int value) {
    bytes[at] = (byte) (value >>> 8);
    bytes[at + 1] = (byte) value;
  }

  private static int word(byte[] bytes, int at) {
    return ((bytes[at] & 0xff) << 8) | (bytes[at + 1] & 0xff);
  }

  private int pseudoHeader(byte[] frame, int rest) {
    int from = ip() + (ipv6 ? 8 : 12);
    return sum(frame, from, from + (ipv6 ? 32 : 8), (tcp ? 6 : 17) + rest);
  }

  /** RFC 1071, byte by byte. */
  static int sum(byte[] bytes, int from, int to, int start) {
    long sum = start;
    for (int at = from; at < to; at++) {
      sum += (long) (bytes[at] & 0xff) << ((at - from) % 2 == 0 ? 8 : 0);
    }
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return (int) sum;
  }

  /** Insists that a frame of this packet's kind has right lengths and checksums. */
  void verify(byte[] got) {
    int rest = got.length - transport();
    if (ipv6) {
      assertEquals(ipBytes + rest, word(got, ip() + 4), "IPv6 payload length");
    } else {
      assertEquals(got.length - ip(), word(got, ip() + 2), "IPv4 length");
      assertEquals(0xffff, sum(got, ip(), transport(), 0), "IPv4 header checksum");
    }
    if (!tcp) {
      assertEquals(rest, word(got, transport() + 4), "UDP length");
      assertTrue(word(got, transport() + 6) != 0, "a UDP checksum of 0 means that there is none");
    }
    int transportSum = sum(got, transport(), got.length, pseudoHeader(got, rest));
    assertEquals(0xffff, transportSum, "transport checksum");
  }

  /** Insists that this is the packet, with its checksum complete. */
  void verifyWhole(byte[] got) {
    verify(got);
    assertEquals(headers() + data.length, got.length);
    byte[] tail = Arrays.copyOfRange(got, headers(), got.length);
    assertTrue(Arrays.equals(data, tail), "the data");
  }

  /** Insists that these frames are this packet, cut as asked, and nothing else. */
  void verifySegments(List<byte[]> got, int gsoSize) {
    assertEquals((data.length + gsoSize - 1) / gsoSize, got.size(), "segments");
    byte[] original = frame(Frames.destination(got.getFirst()), source(got.getFirst()));
    int at = 0;
    for (int i = 0; i < got.size(); i++) {
      byte[] segment = got.get(i);
      verify(segment);
      int bytes = Math.min(gsoSize, data.length - at);
      assertEquals(headers() + bytes, segment.length, "length of segment " + i);
      byte[] expected = Arrays.copyOf(original, segment.length);
      System.arraycopy(data, at, expected, headers(), bytes);
      patch(expected, segment, i, at, i == got.size() - 1);
      assertTrue(Arrays.equals(expected, segment), "segment " + i);
      at += bytes;
    }
  }

  private static long source(byte[] frame) {
    return ByteBuffer.wrap(frame).getLong(6) >>> 16;
  }

  /** What changes from segment to segment, worked out anew; checksums, verified before, taken. */
  private void patch(byte[] expected, byte[] segment, int number, int dataAt, boolean last) {
    if (ipv6) {
      putShort(expected, ip() + 4, segment.length - ip() - 40);
    } else {
      putShort(expected, ip() + 2, segment.length - ip());
      putShort(expected, ip() + 4, FIRST_ID + number);
      System.arraycopy(segment, ip() + 10, expected, ip() + 10, 2);
    }
    int field = transport() + checksumOffset();
    System.arraycopy(segment, field, expected, field, 2);
    if (tcp) {
      ByteBuffer.wrap(expected).putInt(transport() + 4, FIRST_SEQUENCE + dataAt);
      int flags = tcpFlags & (number == 0 ? 0xff : ~CWR) & (last ? 0xff : ~(PSH | FIN));
      expected[transport() + 13] = (byte) flags;
    } else {
      putShort(expected, transport() + 4, segment.length - transport());
    }
  }

  @Override
  public String toString() {
    return (tcp ? "TCP" : "UDP")
        + (ipv6 ? "/IPv6" : "/IPv4")
        + " tags "
        + tags
        + " IP bytes "
        + ipBytes
        + " data "
        + data.length;
  }
}
