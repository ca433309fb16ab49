// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import org.jspecify.annotations.Nullable;

/**
 * Where the headers of a TCP or UDP packet end, found in a private copy of its first bytes: nobody
 * can change them between the look and the use. Reusable; one thread.
 */
public final class PacketHeaders {
  /** More headers than this before the data, and we do not segment. */
  static final int LIMIT = 256;

  private static final int ETHERNET_BYTES = 14;
  private static final int VLAN_BYTES = 4;
  private static final int MOST_TAGS = 2;
  private static final int IPV4_BYTES = 20;
  private static final int IPV6_BYTES = 40;
  private static final int TCP_BYTES = 20;
  private static final int UDP_BYTES = 8;
  private static final int PROTOCOL_TCP = 6;
  private static final int PROTOCOL_UDP = 17;

  /** The frame's first bytes. */
  final byte[] bytes = new byte[LIMIT];

  /** How many of them are the frame's. */
  private int valid;

  /** Whether the packet is IPv4, else IPv6. */
  boolean ipv4;

  /** Whether it is TCP, else UDP. */
  boolean tcp;

  /** Place of the IP header. */
  int ip;

  /** Place of the TCP or UDP header. */
  int transport;

  /** Bytes of all headers: place of the first byte of data. */
  int length;

  /** Has read nothing yet. */
  public PacketHeaders() {}

  /** Whether the packet is IPv4, else IPv6. */
  public boolean isIpv4() {
    return ipv4;
  }

  /** Place of the TCP or UDP header in the frame. */
  public int transport() {
    return transport;
  }

  /** Place of the checksum in the TCP or UDP header. */
  public int checksumOffset() {
    return tcp ? 16 : 6;
  }

  /** Bytes of all headers: place of the first byte of data. */
  public int length() {
    return length;
  }

  /**
   * Reads the headers of a frame that is to be segmented.
   *
   * @param frame its cursor at the Ethernet header; it moves
   * @param frameBytes bytes from there to its end
   * @param wanted its virtio-net header
   * @return what is wrong with it, or null
   */
  public @Nullable OffloadFault read(Pieces frame, int frameBytes, VnetHeader wanted) {
    valid = Math.min(frameBytes, LIMIT);
    frame.copy(bytes, valid);
    tcp = wanted.tcp();
    boolean found =
        switch (etherType()) {
          case 0x0800 -> wanted.allowsIpv4() && ipv4();
          case 0x86dd -> wanted.allowsIpv6() && ipv6();
          default -> false;
        };
    return found && hasTransport() ? null : OffloadFault.GSO_HEADERS;
  }

  /** Skips VLAN tags; -1 when the frame ends first. */
  private int etherType() {
    for (int tags = 0; tags <= MOST_TAGS; tags++) {
      ip = ETHERNET_BYTES + tags * VLAN_BYTES;
      if (ip > valid) {
        return -1;
      }
      int type = word(ip - 2);
      if (type != 0x8100 && type != 0x88a8) {
        return type;
      }
    }
    return -1;
  }

  private boolean ipv4() {
    ipv4 = true;
    if (ip + IPV4_BYTES > valid || bytes[ip] >> 4 != 4) {
      return false;
    }
    int headerBytes = 4 * (bytes[ip] & 0x0f);
    transport = ip + headerBytes;
    // More fragments, or an offset: what follows would not be a whole transport packet.
    boolean fragment = (word(ip + 6) & 0x3fff) != 0;
    return headerBytes >= IPV4_BYTES && !fragment && bytes[ip + 9] == protocol();
  }

  private boolean ipv6() {
    ipv4 = false;
    transport = ip + IPV6_BYTES;
    if (transport > valid || bytes[ip] >> 4 != 6) {
      return false;
    }
    int next = bytes[ip + 6] & 0xff;
    // Each extension header has 8 bytes or more, so this ends.
    while (next != protocol()) {
      boolean routing = next == 43;
      if ((next != 0 && next != 60 && !routing) || transport + 8 > valid) {
        return false;
      }
      // A routing header that still has a way to go: the checksum is not over this destination.
      if (routing && bytes[transport + 3] != 0) {
        return false;
      }
      next = bytes[transport] & 0xff;
      transport += 8 * ((bytes[transport + 1] & 0xff) + 1);
    }
    return true;
  }

  private boolean hasTransport() {
    if (transport + (tcp ? TCP_BYTES : UDP_BYTES) > valid) {
      return false;
    }
    int headerBytes = tcp ? 4 * ((bytes[transport + 12] & 0xf0) >> 4) : UDP_BYTES;
    length = transport + headerBytes;
    return headerBytes >= (tcp ? TCP_BYTES : UDP_BYTES) && length <= valid;
  }

  /** The number of the transport protocol in an IP header. */
  int protocol() {
    return tcp ? PROTOCOL_TCP : PROTOCOL_UDP;
  }

  /** 16 bits, most significant byte first. */
  int word(int at) {
    return ((bytes[at] & 0xff) << 8) | (bytes[at + 1] & 0xff);
  }

  /** 32 bits, most significant byte first. */
  int doubleWord(int at) {
    return word(at) << 16 | word(at + 2);
  }
}
