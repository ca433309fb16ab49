// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A symmetric hash of a frame's flow: both directions of a TCP or UDP flow give the same number,
 * and so does every frame of it. Reads only; a frame that changes its mind merely lands on another
 * queue.
 */
final class FlowHash {
  private static final int ETHERTYPE = 12;
  private static final int IPV4 = 0x0008; // as read little-endian
  private static final int IPV6 = 0xdd86;
  private static final int VLAN = 0x0081;
  private static final int TCP = 6;
  private static final int UDP = 17;

  private FlowHash() {}

  /** The hash of frame {@code i}, 0 to 2^31 - 1. */
  static int of(Burst burst, int i) {
    int type = ETHERTYPE;
    int protocol = (int) burst.gather(i, type, 2);
    if (protocol == VLAN) {
      type += 4;
      protocol = (int) burst.gather(i, type, 2);
    }
    int network = type + 2;
    long flow =
        switch (protocol) {
          case IPV4 -> ipv4(burst, i, network);
          case IPV6 -> ipv6(burst, i, network);
          default -> burst.destination(i) ^ burst.source(i);
        };
    // A product's bits depend only on lower ones, and ports are high: fold first, take from the
    // top.
    flow ^= flow >>> 32;
    flow *= 0x9E3779B97F4A7C15L;
    return (int) (flow >>> 33);
  }

  private static long ipv4(Burst burst, int i, int at) {
    long start = burst.gather(i, at, 8); // version and length, type, total length, id, fragment
    long middle = burst.gather(i, at + 8, 8); // time to live, protocol, checksum, source
    long addresses = (middle >>> 32) ^ burst.gather(i, at + 16, 4);
    boolean fragment = ((start >>> 48) & 0xff3f) != 0;
    int headerBytes = (int) (start & 15) * 4;
    int protocol = (int) (middle >>> 8) & 0xff;
    return fragment ? addresses : addresses ^ ports(burst, i, protocol, at + headerBytes);
  }

  private static long ipv6(Burst burst, int i, int at) {
    long addresses = 0;
    for (int word = 8; word < 40; word += 8) {
      addresses ^= burst.gather(i, at + word, 8);
    }
    return addresses ^ ports(burst, i, (int) burst.gather(i, at + 6, 1), at + 40);
  }

  private static long ports(Burst burst, int i, int protocol, int at) {
    if (protocol != TCP && protocol != UDP) {
      return 0;
    }
    long both = burst.gather(i, at, 4);
    return ((both >>> 16) ^ (both & 0xffff)) << 32;
  }
}
