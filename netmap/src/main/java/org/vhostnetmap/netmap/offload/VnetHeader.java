// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;

/// The fields of one `struct virtio_net_hdr` (VIRTIO 1.3, 5.1.6), read from memory once and then
/// ours, so that a guest that flips them can't have one value checked and another one used.
///
/// ```
///   +0 u8 flags   +2 le16 hdr_len    +6 le16 csum_start
///   +1 u8 gso_type +4 le16 gso_size  +8 le16 csum_offset   (+10 le16 num_buffers, not kept)
/// ```
///
/// Reusable; one thread.
public final class VnetHeader {
  /** Bytes that all forms have in common: without num_buffers. */
  public static final int BYTES = 10;

  /** flags: the checksum from csum_start on is to be completed. */
  public static final int NEEDS_CSUM = 1;

  /** gso_type: one ordinary packet. */
  public static final int GSO_NONE = 0;

  /** gso_type: TCP over IPv4. */
  public static final int GSO_TCPV4 = 1;

  /** gso_type: UDP, to be cut into IP fragments by the book, into datagrams by netmap. */
  public static final int GSO_UDP = 3;

  /** gso_type: TCP over IPv6. */
  public static final int GSO_TCPV6 = 4;

  /** gso_type: UDP, to be cut into datagrams. */
  public static final int GSO_UDP_L4 = 5;

  /** gso_type: set beside a TCP type when the packet has CWR. */
  public static final int GSO_ECN = 0x80;

  private static final int ETHERNET_BYTES = 14;
  private static final int UDP_CHECKSUM = 6;

  private int flags;
  private int gsoType;
  private int gsoSize;
  private int csumStart;
  private int csumOffset;

  /** The header of a frame that needs nothing. */
  public VnetHeader() {}

  /** Takes the fields of the 10 bytes at {@code address}. */
  public void read(long address) {
    long first = Memory.getLong(address);
    set(
        (int) first & 0xff,
        (int) (first >>> 8) & 0xff,
        (int) (first >>> 32) & 0xffff,
        (int) (first >>> 48),
        Memory.getUnsignedShort(address + 8));
  }

  /** Takes fields that somebody else has read. */
  public void set(
      int newFlags, int newGsoType, int newGsoSize, int newCsumStart, int newCsumOffset) {
    flags = newFlags;
    gsoType = newGsoType;
    gsoSize = newGsoSize;
    csumStart = newCsumStart;
    csumOffset = newCsumOffset;
  }

  /** Whether the frame needs anything at all. */
  public boolean asksNothing() {
    return (flags & NEEDS_CSUM) == 0 && gsoType == GSO_NONE;
  }

  /** Whether the frame is to be cut into several. */
  public boolean segments() {
    return gsoType != GSO_NONE;
  }

  /** Whether the transport checksum is to be completed. */
  public boolean needsChecksum() {
    return (flags & NEEDS_CSUM) != 0;
  }

  /** Whether the packet to segment is TCP. */
  public boolean tcp() {
    int type = gsoType & ~GSO_ECN;
    return type == GSO_TCPV4 || type == GSO_TCPV6;
  }

  /** Whether gso_size is where datagrams end, and not only a wish. */
  boolean keepsDatagrams() {
    return gsoType == GSO_UDP_L4;
  }

  /** Whether gso_type allows IPv4. */
  boolean allowsIpv4() {
    return (gsoType & ~GSO_ECN) != GSO_TCPV6;
  }

  /** Whether gso_type allows IPv6. */
  boolean allowsIpv6() {
    return (gsoType & ~GSO_ECN) != GSO_TCPV4;
  }

  /** Data bytes per segment that the sender wants. */
  public int gsoSize() {
    return gsoSize;
  }

  /** First byte of the frame that the checksum covers. */
  public int csumStart() {
    return csumStart;
  }

  /** Place of the checksum field in the frame. */
  public int csumField() {
    return csumStart + csumOffset;
  }

  /**
   * Whether the checksum field is where UDP has it; in TCP, and all else that is known, it is not.
   */
  boolean isUdp() {
    return csumOffset == UDP_CHECKSUM;
  }

  /**
   * What is wrong with these fields for a frame of so many bytes, the header not counted; null when
   * nothing is.
   */
  public @Nullable OffloadFault check(int frameBytes) {
    // The field is two bytes; a checksum that began in the Ethernet header would not be one.
    if (needsChecksum() && (csumStart < ETHERNET_BYTES || csumField() + Short.BYTES > frameBytes)) {
      return OffloadFault.CHECKSUM_OUTSIDE;
    }
    if (!segments()) {
      return null;
    }
    int type = gsoType & ~GSO_ECN;
    boolean known = tcp() || (type == gsoType && (type == GSO_UDP || type == GSO_UDP_L4));
    if (!known) {
      return OffloadFault.GSO_TYPE;
    }
    return gsoSize == 0 ? OffloadFault.GSO_SIZE : null;
  }
}
