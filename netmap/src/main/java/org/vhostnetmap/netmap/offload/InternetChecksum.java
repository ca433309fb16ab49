// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import org.vhostnetmap.linux.Memory;

/// The Internet checksum (RFC 1071) over memory. Sums are folded to 16 bits and are in the order of
/// the bytes in memory: they are stored as they are, whatever the host's byte order would say,
/// because the one's complement sum does not mind (RFC 1071, 2(B)).
///
/// The caller has checked the addresses. Thread-safe, allocates nothing.
public final class InternetChecksum {
  /** Bytes from which on the vectors' start is worth its time. */
  private static final int LONG_ENOUGH = 128;

  /**
   * Bytes summed by one call. With 9,000 the compiler met the loop before the method around it, and
   * from then on made the slice that is never to be made.
   */
  private static final int PART = 1024;

  private InternetChecksum() {}

  /** The sum of {@code length} bytes, the first of which stands at an even place in its packet. */
  public static int sum(long address, int length) {
    long at = address;
    long end = address + length;
    long sum = 0;
    while (end - at >= LONG_ENOUGH) {
      long part = Math.min((end - at) & -(long) Long.BYTES, PART);
      sum += Memory.sumOfInts(at, part);
      at += part;
    }
    for (long last = end - Long.BYTES; at <= last; at += Long.BYTES) {
      long eight = Memory.getLong(at);
      sum += (eight & 0xffffffffL) + (eight >>> 32);
    }
    if (end - at >= Integer.BYTES) {
      sum += Memory.getUnsignedInt(at);
      at += Integer.BYTES;
    }
    if (end - at >= Short.BYTES) {
      sum += Memory.getUnsignedShort(at);
      at += Short.BYTES;
    }
    if (at < end) {
      sum += Memory.getUnsignedByte(at);
    }
    return fold(sum);
  }

  /** As {@link #sum(long, int)}, over an array from {@code from} on: meant for headers. */
  static int sum(byte[] bytes, int from, int length) {
    int sum = 0;
    int even = length & ~1;
    for (int at = from; at < from + even; at += Short.BYTES) {
      sum += (bytes[at] & 0xff) | (bytes[at + 1] & 0xff) << 8;
    }
    return fold(even == length ? sum : sum + (bytes[from + even] & 0xff));
  }

  /** Brings a sum of 16 or 32-bit words, taken as a number of 64 bits, to 16 bits. */
  public static int fold(long sum) {
    long folded = (sum & 0xffffffffL) + (sum >>> 32);
    folded = (folded & 0xffff) + (folded >>> 16);
    folded = (folded & 0xffff) + (folded >>> 16);
    return (int) ((folded & 0xffff) + (folded >>> 16));
  }

  /** The sum of two parts of a packet. */
  public static int add(int sum, int other) {
    int both = sum + other;
    return (both & 0xffff) + (both >>> 16);
  }

  /** A sum as it counts when the part it was taken of begins at an odd place of the packet. */
  public static int swapped(int sum) {
    return (sum & 0xff) << 8 | sum >>> 8;
  }

  /** A number as it stands in a packet, most significant byte first: to be added to a sum. */
  public static int word(int value) {
    return swapped(value & 0xffff);
  }

  /** What goes into the checksum field of an IPv4 header, of TCP, and of everything but UDP. */
  public static int complement(int sum) {
    return ~sum & 0xffff;
  }

  /** What goes into the checksum field of UDP: never 0, which means "no checksum" there. */
  public static int forUdp(int sum) {
    int checksum = complement(sum);
    return checksum == 0 ? 0xffff : checksum;
  }

  /**
   * The sum of the pseudo-header of TCP or UDP.
   *
   * @param addresses where source and destination address of the IP header stand, one behind the
   *     other
   * @param addressBytes bytes of both: 8 or 32
   * @param protocol 6, 17, ...
   * @param length bytes of the transport header and its data
   */
  public static int pseudoHeader(long addresses, int addressBytes, int protocol, int length) {
    return pseudoHeader(sum(addresses, addressBytes), protocol, length);
  }

  /** As above, of addresses that are summed up already. */
  static int pseudoHeader(int addressSum, int protocol, int length) {
    return add(add(addressSum, word(protocol)), add(word(length), word(length >>> 16)));
  }
}
