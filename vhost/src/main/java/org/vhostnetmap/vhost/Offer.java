// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.vhostnetmap.vhost.feature.ProtocolFeature.*;
import static org.vhostnetmap.vhost.feature.VirtioFeature.*;

import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.ProtocolFeature;
import org.vhostnetmap.vhost.feature.VirtioFeature;

/**
 * What one device offers to every front-end. The same for the life of the port: QEMU refuses a
 * back-end that comes back with fewer features or memory slots than it had.
 *
 * @param features answer to VHOST_USER_GET_FEATURES
 * @param protocolFeatures answer to VHOST_USER_GET_PROTOCOL_FEATURES
 * @param queuePairs answer to VHOST_USER_GET_QUEUE_NUM, 1 to 128; twice as many rings
 * @param maxMemorySlots answer to VHOST_USER_GET_MAX_MEM_SLOTS
 */
public record Offer(
    FeatureSet<VirtioFeature> features,
    FeatureSet<ProtocolFeature> protocolFeatures,
    int queuePairs,
    int maxMemorySlots) {
  /** As many slots as QEMU's KVM has, and as libvhost-user and rust-vmm offer. */
  public static final int MEMORY_SLOTS = 509;

  /** A ring's index has eight bits in SET_VRING_KICK. */
  private static final int MOST_QUEUE_PAIRS = 128;

  /** Checks the numbers. */
  public Offer {
    if (queuePairs < 1 || queuePairs > MOST_QUEUE_PAIRS) {
      throw new IllegalArgumentException(
          "1 to " + MOST_QUEUE_PAIRS + " queue pairs, not " + queuePairs);
    }
    if (maxMemorySlots < 8) {
      throw new IllegalArgumentException(
          "SET_MEM_TABLE alone may bring 8 regions, not " + maxMemorySlots);
    }
  }

  /**
   * The default offer of a network device. What is missing, is missing for a reason:
   *
   * <ul>
   *   <li>MQ only with more than one pair, and GUEST_ANNOUNCE only when {@code announce}: user-mode
   *       Linux shows our bits to the guest as they are, and virtio_net refuses either without a
   *       control queue. QEMU has SEND_RARP instead.
   *   <li>MTU is left to {@link #with}: a front-end without a configuration space (user-mode Linux)
   *       would let its guest read an MTU from nowhere. With QEMU's {@code host_mtu=} it does good.
   *   <li>MAC, STATUS, CTRL_VQ and all that hangs on it are QEMU's own; RING_RESET and HASH_REPORT
   *       it would offer to the guest and then not tell us of.
   *   <li>NOTIFY_ON_EMPTY: legacy; a driver may live without it.
   *   <li>Checksum and segmentation offloads are left to {@link #withChecksums} and {@link
   *       #withOffloads}: the data plane has to serve them.
   *   <li>LOG_ALL (with LOG_SHMFD), in-flight, post-copy and device state come with the code that
   *       serves them.
   *   <li>CONFIG, INBAND_NOTIFICATIONS, XEN_MMAP: QEMU acknowledges bits that it then does not
   *       follow.
   * </ul>
   */
  public static Offer net(int queuePairs, boolean announce) {
    FeatureSet<VirtioFeature> features =
        FeatureSet.of(
            VIRTIO_F_VERSION_1,
            VIRTIO_F_ANY_LAYOUT,
            VIRTIO_F_INDIRECT_DESC,
            VIRTIO_F_EVENT_IDX,
            VIRTIO_F_IN_ORDER,
            VIRTIO_F_RING_PACKED,
            VIRTIO_NET_F_MRG_RXBUF,
            VHOST_USER_F_PROTOCOL_FEATURES);
    if (queuePairs > 1) {
      features = features.with(VIRTIO_NET_F_MQ);
    }
    if (announce) {
      features = features.with(VIRTIO_NET_F_GUEST_ANNOUNCE);
    }
    FeatureSet<ProtocolFeature> protocol =
        FeatureSet.of(
            VHOST_USER_PROTOCOL_F_MQ,
            VHOST_USER_PROTOCOL_F_RARP,
            VHOST_USER_PROTOCOL_F_REPLY_ACK,
            VHOST_USER_PROTOCOL_F_MTU,
            VHOST_USER_PROTOCOL_F_BACKEND_REQ,
            VHOST_USER_PROTOCOL_F_RESET_DEVICE,
            VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
            VHOST_USER_PROTOCOL_F_STATUS);
    return new Offer(features, protocol, queuePairs, MEMORY_SLOTS);
  }

  /** This offer with partial checksums both ways. */
  public Offer withChecksums() {
    return with(VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM);
  }

  /**
   * This offer with partial checksums and segmentation both ways. UFO is not among them: it would
   * have us cut datagrams into IP fragments, and Linux has given it up.
   */
  public Offer withOffloads() {
    return withChecksums()
        .with(
            VIRTIO_NET_F_HOST_TSO4,
            VIRTIO_NET_F_HOST_TSO6,
            VIRTIO_NET_F_HOST_ECN,
            VIRTIO_NET_F_HOST_USO,
            VIRTIO_NET_F_GUEST_TSO4,
            VIRTIO_NET_F_GUEST_TSO6,
            VIRTIO_NET_F_GUEST_ECN,
            VIRTIO_NET_F_GUEST_USO4,
            VIRTIO_NET_F_GUEST_USO6);
  }

  /** This offer and {@code more} virtio features. */
  public Offer with(VirtioFeature... more) {
    return new Offer(features.with(more), protocolFeatures, queuePairs, maxMemorySlots);
  }

  /** This offer but {@code feature}. */
  public Offer without(VirtioFeature feature) {
    return new Offer(features.without(feature), protocolFeatures, queuePairs, maxMemorySlots);
  }

  /** This offer but {@code feature}. */
  public Offer without(ProtocolFeature feature) {
    return new Offer(features, protocolFeatures.without(feature), queuePairs, maxMemorySlots);
  }

  /** Rings of the device: a receive and a transmit queue for each pair. */
  public int rings() {
    return 2 * queuePairs;
  }
}
