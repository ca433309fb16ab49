// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.feature;

/**
 * Feature bits of a virtio-net device and of its rings, by the names of virtio 1.3 with the section
 * that defines each; and the two that vhost-user puts into the same word.
 */
public enum VirtioFeature implements Feature {
  /** 5.1.3: the driver may leave checksums partial. */
  VIRTIO_NET_F_CSUM(0),
  /** 5.1.3: the driver takes packets with partial checksums. */
  VIRTIO_NET_F_GUEST_CSUM(1),
  /** 5.1.3: offloads can be switched by the control queue. */
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS(2),
  /** 5.1.3: the configuration space advises a maximum MTU. */
  VIRTIO_NET_F_MTU(3),
  /** 5.1.3: the configuration space has a MAC address. */
  VIRTIO_NET_F_MAC(5),
  /** 5.1.3.2: the legacy name of all HOST offloads together. */
  VIRTIO_NET_F_GSO(6),
  /** 5.1.3: the driver takes TSO of IPv4. */
  VIRTIO_NET_F_GUEST_TSO4(7),
  /** 5.1.3: the driver takes TSO of IPv6. */
  VIRTIO_NET_F_GUEST_TSO6(8),
  /** 5.1.3: the driver takes TSO with ECN. */
  VIRTIO_NET_F_GUEST_ECN(9),
  /** 5.1.3: the driver takes UFO. */
  VIRTIO_NET_F_GUEST_UFO(10),
  /** 5.1.3: the device takes TSO of IPv4. */
  VIRTIO_NET_F_HOST_TSO4(11),
  /** 5.1.3: the device takes TSO of IPv6. */
  VIRTIO_NET_F_HOST_TSO6(12),
  /** 5.1.3: the device takes TSO with ECN. */
  VIRTIO_NET_F_HOST_ECN(13),
  /** 5.1.3: the device takes UFO. */
  VIRTIO_NET_F_HOST_UFO(14),
  /** 5.1.3: a received packet may spread over several buffers. */
  VIRTIO_NET_F_MRG_RXBUF(15),
  /** 5.1.3: the configuration space has a link status. */
  VIRTIO_NET_F_STATUS(16),
  /** 5.1.3: there is a control queue. */
  VIRTIO_NET_F_CTRL_VQ(17),
  /** 5.1.3: the control queue sets receive modes. */
  VIRTIO_NET_F_CTRL_RX(18),
  /** 5.1.3: the control queue filters VLANs. */
  VIRTIO_NET_F_CTRL_VLAN(19),
  /** 5.1.3: the driver can announce itself when asked. */
  VIRTIO_NET_F_GUEST_ANNOUNCE(21),
  /** 5.1.3: several queue pairs. */
  VIRTIO_NET_F_MQ(22),
  /** 5.1.3: the control queue sets the MAC address. */
  VIRTIO_NET_F_CTRL_MAC_ADDR(23),
  /** 6.3: legacy, a call when the ring runs empty. */
  VIRTIO_F_NOTIFY_ON_EMPTY(24),
  /** vhost-user: the device marks what it writes in a log. */
  VHOST_F_LOG_ALL(26),
  /** 6.3: the driver may place headers and data as it likes. */
  VIRTIO_F_ANY_LAYOUT(27),
  /** 2.7.5.3: a descriptor may point to a table of descriptors. */
  VIRTIO_F_INDIRECT_DESC(28),
  /** 2.7.10: each side tells at which index it wants to be woken. */
  VIRTIO_F_EVENT_IDX(29),
  /** vhost-user: protocol features can be negotiated. */
  VHOST_USER_F_PROTOCOL_FEATURES(30),
  /** 6.1: the device follows virtio 1.0 or later. */
  VIRTIO_F_VERSION_1(32),
  /** 6.1: addresses go through an IOMMU. */
  VIRTIO_F_ACCESS_PLATFORM(33),
  /** 2.8: packed virtqueues. */
  VIRTIO_F_RING_PACKED(34),
  /** 2.7.8: buffers are used in the order they were made available. */
  VIRTIO_F_IN_ORDER(35),
  /** 6.1: memory ordering as the platform needs it. */
  VIRTIO_F_ORDER_PLATFORM(36),
  /** 6.1: kicks carry data. */
  VIRTIO_F_NOTIFICATION_DATA(38),
  /** 2.6.1: the driver resets one queue. */
  VIRTIO_F_RING_RESET(40),
  /** 5.1.3: the driver takes USO of IPv4. */
  VIRTIO_NET_F_GUEST_USO4(54),
  /** 5.1.3: the driver takes USO of IPv6. */
  VIRTIO_NET_F_GUEST_USO6(55),
  /** 5.1.3: the device takes USO. */
  VIRTIO_NET_F_HOST_USO(56),
  /** 5.1.3: received packets carry a hash. */
  VIRTIO_NET_F_HASH_REPORT(57),
  /** 5.1.3: receive-side scaling. */
  VIRTIO_NET_F_RSS(60),
  /** 5.1.3: the device coalesces received segments and says how many. */
  VIRTIO_NET_F_RSC_EXT(61),
  /** 5.1.3: another device may stand in for this one. */
  VIRTIO_NET_F_STANDBY(62);

  private final int bit;

  VirtioFeature(int bit) {
    this.bit = bit;
  }

  @Override
  public int bit() {
    return bit;
  }
}
