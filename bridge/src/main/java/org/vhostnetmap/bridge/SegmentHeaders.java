// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Arrays;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.offload.InternetChecksum;
import org.vhostnetmap.netmap.offload.Pieces;

/// The headers of a burst's TCP frames, read once into a row of our own for each frame, so that the
/// sender can't have one header judged and another one used; and the rules by which one segment
/// goes on where another one ended. They are Linux's rules of GRO, or stricter.
///
/// ```
///   0              ip                transport             data
///   | MACs [VLAN] type | IPv4 (20) or IPv6 (40) | TCP, options | payload ...
/// ```
///
/// Numbers in the rows are most significant byte first. One thread; allocates nothing.
final class SegmentHeaders {
  /** Of no TCP flow at all. */
  static final int OTHER = 0;

  /** It can't be told which flow it is of: fragments, options, extension headers, two tags. */
  static final int UNKNOWN = 1;

  /** A TCP frame of the flow {@link #key} that can't be merged. */
  static final int LONE = 2;

  /** A TCP segment with data and nothing special about it. */
  static final int DATA = 3;

  /** What an IPv4 header can tell, and as much as drivers have room for. */
  private static final int LONGEST_PACKET = 65535;

  private static final int ROW = 128; // 14 + 4 + 40 + 60 and some
  private static final int ETHERNET_BYTES = 14;
  private static final int VLAN_BYTES = 4;
  private static final int IPV4_BYTES = 20;
  private static final int IPV6_BYTES = 40;
  private static final int TCP_BYTES = 20;
  private static final int TCP_CHECKSUM = 16;
  private static final int TCP = 6;
  private static final int UDP = 17;
  private static final int ICMPV6 = 58;
  private static final int DONT_FRAGMENT = 0x4000;
  private static final int PSH = 8;
  private static final int ACK = 16;
  private static final int CE = 3;

  private final byte[] bytes = new byte[ROW * Burst.FRAMES];
  private final byte[] merged = new byte[ROW];
  private final Pieces frame = new Pieces(64);
  private final boolean[] ipv4 = new boolean[Burst.FRAMES];
  private final int[] ip = new int[Burst.FRAMES];
  private final int[] transport = new int[Burst.FRAMES];
  private final int[] data = new int[Burst.FRAMES];
  private final int[] payload = new int[Burst.FRAMES];
  private final long[] key = new long[Burst.FRAMES];

  /**
   * Whether a frame may be worth a closer look: a look at two places, of a line of memory that is
   * about to be copied.
   */
  static boolean mayBeTcp(Burst burst, int i) {
    if (burst.table.segmentLength[burst.segment[i]] < ETHERNET_BYTES + IPV4_BYTES) {
      return true;
    }
    long at = burst.address[i];
    return switch (Memory.getUnsignedShort(at + 12)) { // the bytes change places
      case 0x0008 -> Memory.getUnsignedByte(at + 23) == TCP;
      case 0xdd86 -> Memory.getUnsignedByte(at + 20) == TCP;
      case 0x0081 -> true;
      default -> false;
    };
  }

  /** Reads frame {@code i} and says what it is. */
  int read(Burst burst, int i) {
    int have = Math.min(burst.length[i], ROW);
    copyHead(burst, i, have);
    int row = ROW * i;
    ip[i] = ETHERNET_BYTES;
    int type = word(row + 12);
    if (type == 0x8100 && have >= ETHERNET_BYTES + VLAN_BYTES) {
      ip[i] += VLAN_BYTES;
      type = word(row + 16);
    }
    return switch (type) {
      case 0x0800 -> ipv4(i, have, burst.length[i]);
      case 0x86dd -> ipv6(i, have, burst.length[i]);
      case 0x8100, 0x88a8 -> UNKNOWN;
      default -> OTHER;
    };
  }

  private void copyHead(Burst burst, int i, int have) {
    int done = 0;
    for (int s = burst.segment[i]; done < have; s++) {
      int part = Math.min(have - done, burst.table.segmentLength[s]);
      Memory.copyToArray(burst.table.segmentAddress[s], bytes, ROW * i + done, part);
      done += part;
    }
  }

  private int ipv4(int i, int have, int length) {
    int at = ROW * i + ip[i];
    ipv4[i] = true;
    transport[i] = ip[i] + IPV4_BYTES;
    if (have < transport[i] + TCP_BYTES || bytes[at] != 0x45) {
      return UNKNOWN;
    }
    if (bytes[at + 9] != TCP) {
      return OTHER;
    }
    if ((word(at + 6) & ~DONT_FRAGMENT) != 0) {
      return UNKNOWN;
    }
    key[i] = pair(at + 12) ^ pair(at + 16) << 16 ^ pair(at + IPV4_BYTES) << 32;
    return tcp(i, have, length, word(at + 2), bytes[at + 1]);
  }

  private int ipv6(int i, int have, int length) {
    int at = ROW * i + ip[i];
    ipv4[i] = false;
    transport[i] = ip[i] + IPV6_BYTES;
    if (have < transport[i] + TCP_BYTES || bytes[at] >> 4 != 6) {
      return UNKNOWN;
    }
    int next = bytes[at + 6];
    if (next != TCP) {
      return next == UDP || next == ICMPV6 ? OTHER : UNKNOWN;
    }
    key[i] = pair(at + 20) ^ pair(at + 36) << 16 ^ pair(at + IPV6_BYTES) << 32;
    return tcp(i, have, length, IPV6_BYTES + word(at + 4), (word(at) >> 4) & 0xff);
  }

  private int tcp(int i, int have, int length, int packetBytes, int trafficClass) {
    int at = ROW * i + transport[i];
    int wholeHeader = bytes[at + 12]; // its length, and bits that nobody should have set
    data[i] = transport[i] + ((wholeHeader & 0xf0) >> 2);
    payload[i] = length - data[i];
    boolean plain =
        packetBytes == length - ip[i]
            && (wholeHeader & 0x0f) == 0
            && data[i] >= transport[i] + TCP_BYTES
            && data[i] <= have
            && payload[i] > 0
            && (bytes[at + 13] | PSH) == (ACK | PSH)
            && (trafficClass & CE) != CE;
    return plain ? DATA : LONE;
  }

  /** A number that all frames of one flow share, and hardly any other. */
  long key(int i) {
    return key[i];
  }

  boolean isIpv4(int i) {
    return ipv4[i];
  }

  int transport(int i) {
    return transport[i];
  }

  /** Bytes of all headers. */
  int data(int i) {
    return data[i];
  }

  /** Bytes behind the headers. */
  int payload(int i) {
    return payload[i];
  }

  /** Whether the sender wants what came so far to be handed on. */
  boolean isPushed(int i) {
    return (bytes[ROW * i + transport[i] + 13] & PSH) != 0;
  }

  /** Whether a frame's headers and so many bytes of payload are a packet that Linux would take. */
  boolean isPacket(int i, int payloadBytes) {
    return data[i] - ip[i] + payloadBytes <= LONGEST_PACKET;
  }

  /**
   * Whether segment {@code i} goes on where {@code last} ended, of the same flow and in all the
   * same way as {@code first}, which begins the group. Both are DATA.
   *
   * @param ahead bytes of payload from the first to the last
   */
  boolean goesOn(int first, int last, int i, int ahead) {
    return payload[i] <= payload[first]
        && ipv4[i] == ipv4[first]
        && data[i] == data[first]
        && ip[i] == ip[first]
        && same(first, i, 0, ip[i])
        && (ipv4[i] ? goesOnIpv4(first, last, i) : goesOnIpv6(first, i))
        && goesOnTcp(first, i, ahead);
  }

  private boolean goesOnIpv4(int first, int last, int i) {
    int at = ip[i];
    if (!same(first, i, at, at + 2) // version, length, type of service
        || !same(first, i, at + 6, at + 10) // DF, time to live, protocol
        || !same(first, i, at + 12, at + IPV4_BYTES)) {
      return false;
    }
    int before = word(ROW * last + at + 4);
    int id = word(ROW * i + at + 4);
    boolean fixed = id == before && (word(ROW * i + at + 6) & DONT_FRAGMENT) != 0;
    if (last != first && fixed != (before == word(ROW * first + at + 4))) {
      return false; // sometimes counted, sometimes not
    }
    return fixed || id == ((before + 1) & 0xffff);
  }

  private boolean goesOnIpv6(int first, int i) {
    int at = ip[i];
    return same(first, i, at, at + 4) && same(first, i, at + 6, at + IPV6_BYTES);
  }

  private boolean goesOnTcp(int first, int i, int ahead) {
    int at = transport[i];
    return same(first, i, at, at + 4) // ports
        && sequence(i) == sequence(first) + ahead
        && same(first, i, at + 8, at + 13) // acknowledgement, length
        && same(first, i, at + 14, at + TCP_CHECKSUM) // window
        && same(first, i, at + 18, data[i]); // urgent pointer, options
  }

  private boolean same(int one, int other, int from, int to) {
    int a = ROW * one;
    int b = ROW * other;
    return Arrays.equals(bytes, a + from, a + to, bytes, b + from, b + to);
  }

  private int sequence(int i) {
    return (int) pair(ROW * i + transport[i] + 4);
  }

  /** Whether the checksums of a segment are right, worked out over its headers as we read them. */
  boolean isSound(Burst burst, int i) {
    int row = ROW * i;
    if (ipv4[i] && fold(sum(bytes, row + ip[i], row + transport[i])) != 0xffff) {
      return false;
    }
    long sum = pseudo(bytes, row, i, payload[i]) + sum(bytes, row + transport[i], row + data[i]);
    return fold(sum + InternetChecksum.swapped(payloadSum(burst, i))) == 0xffff;
  }

  private int payloadSum(Burst burst, int i) {
    if (burst.segments[i] == 1) {
      return InternetChecksum.sum(burst.address[i] + data[i], payload[i]);
    }
    burst.lend(i, frame);
    return frame.sum(data[i]);
  }

  /** Sum of the pseudo-header, with so many bytes of payload. */
  private long pseudo(byte[] in, int row, int i, int payloadBytes) {
    int addresses = row + ip[i] + (ipv4[i] ? 12 : 8);
    int end = row + ip[i] + (ipv4[i] ? IPV4_BYTES : IPV6_BYTES);
    return sum(in, addresses, end) + TCP + (data[i] - transport[i]) + payloadBytes;
  }

  /**
   * The headers of a group: those of its first segment, with the length of all, and a checksum
   * field that holds the sum of the pseudo-header (virtio 1.3, 5.1.6.4.1 with NEEDS_CSUM).
   *
   * @return an array that is the caller's until the next call; {@link #data} bytes of it count
   */
  byte[] merged(int first, int last, int payloadBytes) {
    System.arraycopy(bytes, ROW * first, merged, 0, data[first]);
    int at = ip[first];
    int tcp = transport[first];
    int packet = data[first] - at + payloadBytes;
    if (ipv4[first]) {
      put(at + 2, packet);
      put(at + 10, 0);
      put(at + 10, ~fold(sum(merged, at, tcp)));
    } else {
      put(at + 4, packet - IPV6_BYTES);
    }
    merged[tcp + 13] |= (byte) (bytes[ROW * last + tcp + 13] & PSH);
    put(tcp + TCP_CHECKSUM, fold(pseudo(merged, 0, first, payloadBytes)));
    return merged;
  }

  private void put(int at, int value) {
    merged[at] = (byte) (value >>> 8);
    merged[at + 1] = (byte) value;
  }

  private static long sum(byte[] in, int from, int to) {
    long sum = 0;
    for (int at = from; at < to; at += 2) {
      sum += (in[at] & 0xff) << 8 | (in[at + 1] & 0xff);
    }
    return sum;
  }

  private static int fold(long sum) {
    return InternetChecksum.fold(sum);
  }

  private int word(int at) {
    return (bytes[at] & 0xff) << 8 | (bytes[at + 1] & 0xff);
  }

  private long pair(int at) {
    return (long) word(at) << 16 | word(at + 2);
  }
}
