// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;

/** TCP and UDP packets to test with, and a reader of them that shares no code with ours. */
public final class Packets {
  private Packets() {}

  /** What kind of packet to build. */
  public record Kind(boolean ipv6, boolean tcp, int vlanTags, int ipOptions, int tcpOptions) {
    /** Bytes before the IP header. */
    public int ip() {
      return 14 + 4 * vlanTags;
    }

    /** Bytes before the transport header. */
    public int transport() {
      return ip() + (ipv6 ? 40 : 20) + ipOptions;
    }

    /** Bytes before the data. */
    public int headers() {
      return transport() + (tcp ? 20 + tcpOptions : 8);
    }

    /** The gso_type that fits. */
    public int gsoType() {
      return tcp ? ipv6 ? VnetHeader.GSO_TCPV6 : VnetHeader.GSO_TCPV4 : VnetHeader.GSO_UDP_L4;
    }

    /** csum_offset that fits. */
    public int csumOffset() {
      return tcp ? 16 : 6;
    }
  }

  /** A packet with random data and, in its checksum field, the pseudo-header's sum. */
  public static byte[] build(Kind kind, int dataBytes, Random random) {
    ByteBuffer out = ByteBuffer.allocate(kind.headers() + dataBytes);
    out.put(new byte[] {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2});
    for (int tag = 0; tag < kind.vlanTags; tag++) {
      out.putShort((short) 0x8100).putShort((short) (7 + tag));
    }
    out.putShort((short) (kind.ipv6 ? 0x86dd : 0x0800));
    int transportBytes = out.capacity() - kind.transport();
    if (kind.ipv6) {
      putIpv6(out, kind, transportBytes);
    } else {
      putIpv4(out, kind, transportBytes);
    }
    if (kind.tcp) {
      out.putShort((short) 4000).putShort((short) 80).putInt(0xfffffff0).putInt(77);
      // All flags: CWR ECE URG ACK PSH RST SYN FIN, but for SYN and RST.
      out.put((byte) ((5 + kind.tcpOptions / 4) << 4)).put((byte) 0xf9).putShort((short) 512);
      out.putInt(0).put(new byte[kind.tcpOptions]);
    } else {
      out.putShort((short) 53).putShort((short) 53).putShort((short) transportBytes);
      out.putShort((short) 0);
    }
    byte[] data = new byte[dataBytes];
    random.nextBytes(data);
    out.put(data);
    byte[] packet = out.array();
    int pseudo = pseudo(packet, kind, transportBytes);
    int field = kind.transport() + kind.csumOffset();
    packet[field] = (byte) (pseudo >>> 8);
    packet[field + 1] = (byte) pseudo;
    return packet;
  }

  private static void putIpv4(ByteBuffer out, Kind kind, int transportBytes) {
    int headerBytes = 20 + kind.ipOptions;
    out.put((byte) (0x40 | (headerBytes / 4))).put((byte) 0);
    out.putShort((short) (headerBytes + transportBytes)).putShort((short) 0xfffe);
    out.putShort((short) 0x4000).put((byte) 64).put((byte) (kind.tcp ? 6 : 17));
    out.putShort((short) 0).putInt(0x0a000001).putInt(0x0a0000fe).put(new byte[kind.ipOptions]);
  }

  private static void putIpv6(ByteBuffer out, Kind kind, int transportBytes) {
    int protocol = kind.tcp ? 6 : 17;
    out.putInt(0x60000000).putShort((short) (kind.ipOptions + transportBytes));
    out.put((byte) (kind.ipOptions > 0 ? 60 : protocol)).put((byte) 64);
    for (int i = 0; i < 32; i++) {
      out.put((byte) (0xf0 + i));
    }
    if (kind.ipOptions > 0) {
      out.put((byte) protocol).put((byte) (kind.ipOptions / 8 - 1));
      out.put(new byte[kind.ipOptions - 2]);
    }
  }

  private static int pseudo(byte[] packet, Kind kind, int transportBytes) {
    int from = kind.ip() + (kind.ipv6 ? 8 : 12);
    byte[] addresses = Arrays.copyOfRange(packet, from, from + (kind.ipv6 ? 32 : 8));
    return naiveSum(addresses, naiveFold((kind.tcp ? 6 : 17) + transportBytes));
  }

  /** RFC 1071 word by word, as one reads it there. */
  public static int naiveSum(byte[] bytes, int start) {
    long sum = start;
    for (int i = 0; i < bytes.length; i += 2) {
      int low = i + 1 < bytes.length ? bytes[i + 1] & 0xff : 0;
      sum += ((bytes[i] & 0xff) << 8) | low;
    }
    return naiveFold(sum);
  }

  private static int naiveFold(long sum) {
    long folded = sum;
    while (folded > 0xffff) {
      folded = (folded & 0xffff) + (folded >> 16);
    }
    return (int) folded;
  }

  /** Insists that lengths and checksums of a finished packet are right. */
  public static void verify(byte[] packet, Kind kind) {
    ByteBuffer in = ByteBuffer.wrap(packet);
    int transportBytes = packet.length - kind.transport();
    if (kind.ipv6) {
      assertEquals(kind.ipOptions + transportBytes, in.getShort(kind.ip() + 4) & 0xffff);
    } else {
      assertEquals(packet.length - kind.ip(), in.getShort(kind.ip() + 2) & 0xffff);
      byte[] header = Arrays.copyOfRange(packet, kind.ip(), kind.transport());
      assertEquals(0xffff, naiveSum(header, 0), "IPv4 header checksum");
    }
    if (!kind.tcp) {
      assertEquals(transportBytes, in.getShort(kind.transport() + 4) & 0xffff);
    }
    assertEquals(0xffff, transportSum(packet, kind), "transport checksum");
  }

  /** The sum over pseudo-header and transport packet: 0xffff when its checksum is right. */
  public static int transportSum(byte[] packet, Kind kind) {
    byte[] transport = Arrays.copyOfRange(packet, kind.transport(), packet.length);
    return naiveSum(transport, pseudo(packet, kind, transport.length));
  }
}
