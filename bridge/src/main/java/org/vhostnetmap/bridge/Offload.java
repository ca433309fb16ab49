// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.netmap.offload.VnetHeader;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.VirtioFeature;

/// What one side may leave undone in a frame and the other one take: a mask of the bits below. And
/// the fields of [Burst#header], the virtio-net header of a frame that asks for something.
///
/// ```
///   63        48 47       32 31       16 15      8 7        0
///   | csum_start | gso_size  | hdr_len   | gso_type | flags    |   (virtio 1.3, 5.1.6)
///                              ours       validated  NEEDS_CSUM, and IPV6_DATAGRAMS: our own mark
/// ```
final class Offload {
  /** A partial checksum. */
  static final int CSUM = 1;

  /** A TCP packet of IPv4 to be segmented. */
  static final int TSO4 = 2;

  /** A TCP packet of IPv6 to be segmented. */
  static final int TSO6 = 4;

  /** One of them with CWR set. */
  static final int ECN = 8;

  /** UDP data over IPv4 to be cut into datagrams. */
  static final int USO4 = 16;

  /** The same over IPv6. */
  static final int USO6 = 32;

  /** Everything there is. */
  static final int ALL = CSUM | TSO4 | TSO6 | ECN | USO4 | USO6;

  /** Bits of the header's first eight bytes that ask for something: NEEDS_CSUM and gso_type. */
  static final long ASKS = 0xff00 | VnetHeader.NEEDS_CSUM;

  /** gso_type says UDP but not which IP; the packet itself did. Not a bit of any real header. */
  private static final long IPV6_DATAGRAMS = 0x80;

  private Offload() {}

  /** What a driver may leave to us: its HOST features. Without CSUM it fills in no header. */
  static int asked(FeatureSet<VirtioFeature> features) {
    if (!features.has(VirtioFeature.VIRTIO_NET_F_CSUM)) {
      return 0;
    }
    return CSUM
        | (features.has(VirtioFeature.VIRTIO_NET_F_HOST_TSO4) ? TSO4 : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_HOST_TSO6) ? TSO6 : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_HOST_ECN) ? ECN : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_HOST_USO) ? USO4 | USO6 : 0);
  }

  /** What a driver takes undone: its GUEST features, all of which need GUEST_CSUM (5.1.3.1). */
  static int taken(FeatureSet<VirtioFeature> features) {
    if (!features.has(VirtioFeature.VIRTIO_NET_F_GUEST_CSUM)) {
      return 0;
    }
    return CSUM
        | (features.has(VirtioFeature.VIRTIO_NET_F_GUEST_TSO4) ? TSO4 : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_GUEST_TSO6) ? TSO6 : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_GUEST_ECN) ? ECN : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_GUEST_USO4) ? USO4 : 0)
        | (features.has(VirtioFeature.VIRTIO_NET_F_GUEST_USO6) ? USO6 : 0);
  }

  /** A header whose checksum alone is to be completed. */
  static long checksumHeader(int csumStart) {
    return VnetHeader.NEEDS_CSUM | (long) csumStart << 48;
  }

  /** A header of a packet to be segmented. */
  static long segmentHeader(
      int gsoType, int headerBytes, int gsoSize, int csumStart, boolean ipv4) {
    return checksumHeader(csumStart)
        | (gsoType == VnetHeader.GSO_UDP_L4 && !ipv4 ? IPV6_DATAGRAMS : 0)
        | (long) gsoType << 8
        | (long) headerBytes << 16
        | (long) gsoSize << 32;
  }

  static int gsoType(long header) {
    return (int) (header >>> 8) & 0xff;
  }

  static int gsoSize(long header) {
    return (int) (header >>> 32) & 0xffff;
  }

  static int csumStart(long header) {
    return (int) (header >>> 48);
  }

  /** What a receiver has to take to get this frame as it is; 0 for a type that nobody takes. */
  static int needs(long header) {
    int type = gsoType(header);
    int ecn = (type & VnetHeader.GSO_ECN) != 0 ? ECN : 0;
    return switch (type & ~VnetHeader.GSO_ECN) {
      case VnetHeader.GSO_NONE -> CSUM;
      case VnetHeader.GSO_TCPV4 -> CSUM | ecn | TSO4;
      case VnetHeader.GSO_TCPV6 -> CSUM | ecn | TSO6;
      case VnetHeader.GSO_UDP_L4 -> CSUM | ((header & IPV6_DATAGRAMS) == 0 ? USO4 : USO6);
      default -> 0;
    };
  }

  /** The eight bytes as they stand before a frame that is handed on. */
  static long wire(long header) {
    return header & ~IPV6_DATAGRAMS;
  }

  /** Of the frames that ask for something, those that a sink which takes {@code taken} can't. */
  static long beyond(Burst burst, long frames, int taken) {
    if (taken == ALL) {
      return 0;
    }
    long beyond = 0;
    for (long left = frames & burst.offloads; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      if ((needs(burst.header[i]) & ~taken) != 0) {
        beyond |= 1L << i;
      }
    }
    return beyond;
  }

  /**
   * The frames at the front of a mask that go the same way: the first alone when it is {@code
   * special}, else all before the next that is.
   */
  static long front(long frames, long special) {
    long first = Long.lowestOneBit(frames);
    if ((first & special) != 0) {
      return first;
    }
    return frames & (Long.lowestOneBit(frames & special) - 1);
  }
}
