// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_RING_PACKED;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_VERSION_1;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_NET_F_MRG_RXBUF;

import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.VirtioFeature;

/// Where things are in `struct virtio_net_hdr` (virtio 1.3, 5.1.6), which stands before every
/// frame; little-endian.
///
/// ```
///   +0 u8   flags         +2 le16 hdr_len     +6 le16 csum_start    +10 le16 num_buffers
///   +1 u8   gso_type      +4 le16 gso_size    +8 le16 csum_offset        (only in the long form)
/// ```
public final class NetHeader {
  /** Offset of {@code flags}. */
  public static final int FLAGS = 0;

  /** Offset of {@code gso_type}. */
  public static final int GSO_TYPE = 1;

  /** Offset of {@code hdr_len}. */
  public static final int HDR_LEN = 2;

  /** Offset of {@code gso_size}. */
  public static final int GSO_SIZE = 4;

  /** Offset of {@code csum_start}. */
  public static final int CSUM_START = 6;

  /** Offset of {@code csum_offset}. */
  public static final int CSUM_OFFSET = 8;

  /** Offset of {@code num_buffers}, in the long form. */
  public static final int NUM_BUFFERS = 10;

  /** Bytes of the short form, which only legacy drivers without mergeable buffers use. */
  public static final int LENGTH_LEGACY = 10;

  /** Bytes of the long form. */
  public static final int LENGTH = 12;

  /** {@code flags}: the checksum from csum_start on is still to be completed. */
  public static final int VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;

  /** {@code flags}: the checksum has been verified. */
  public static final int VIRTIO_NET_HDR_F_DATA_VALID = 2;

  /** {@code gso_type}: one ordinary packet. */
  public static final int VIRTIO_NET_HDR_GSO_NONE = 0;

  private NetHeader() {}

  /**
   * Bytes of the header under the features the driver took (VHOST_USER_SET_FEATURES, not the
   * offer). The one place that decides it. HASH_REPORT would make it 20 and is never offered.
   */
  public static int length(FeatureSet<VirtioFeature> features) {
    return features.has(VIRTIO_NET_F_MRG_RXBUF)
            || features.has(VIRTIO_F_VERSION_1)
            || features.has(VIRTIO_F_RING_PACKED)
        ? LENGTH
        : LENGTH_LEGACY;
  }
}
