// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.feature;

/** Feature bits of the vhost-user protocol (vhost-user document, "Protocol features"). */
public enum ProtocolFeature implements Feature {
  /** VHOST_USER_GET_QUEUE_NUM is answered. */
  VHOST_USER_PROTOCOL_F_MQ(0),
  /** The dirty log comes as a file descriptor. */
  VHOST_USER_PROTOCOL_F_LOG_SHMFD(1),
  /** VHOST_USER_SEND_RARP is understood. */
  VHOST_USER_PROTOCOL_F_RARP(2),
  /** A request with need_reply and no reply of its own is acknowledged. */
  VHOST_USER_PROTOCOL_F_REPLY_ACK(3),
  /** VHOST_USER_NET_SET_MTU is understood. */
  VHOST_USER_PROTOCOL_F_MTU(4),
  /** The front-end may give a socket for the back-end's own requests. */
  VHOST_USER_PROTOCOL_F_BACKEND_REQ(5),
  /** VHOST_USER_SET_VRING_ENDIAN is understood. */
  VHOST_USER_PROTOCOL_F_CROSS_ENDIAN(6),
  /** Crypto sessions. */
  VHOST_USER_PROTOCOL_F_CRYPTO_SESSION(7),
  /** Post-copy migration. */
  VHOST_USER_PROTOCOL_F_PAGEFAULT(8),
  /** The back-end serves the configuration space. */
  VHOST_USER_PROTOCOL_F_CONFIG(9),
  /** Descriptors may be sent with back-end requests. */
  VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD(10),
  /** The guest may kick a page of the back-end's. */
  VHOST_USER_PROTOCOL_F_HOST_NOTIFIER(11),
  /** Requests in flight are kept in shared memory. */
  VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD(12),
  /** VHOST_USER_RESET_DEVICE is understood. */
  VHOST_USER_PROTOCOL_F_RESET_DEVICE(13),
  /** Kicks and calls travel as messages. */
  VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS(14),
  /** Memory regions are added and removed one at a time. */
  VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS(15),
  /** The virtio status byte is told. */
  VHOST_USER_PROTOCOL_F_STATUS(16),
  /** Xen grant and foreign mappings. */
  VHOST_USER_PROTOCOL_F_XEN_MMAP(17),
  /** Shared objects. */
  VHOST_USER_PROTOCOL_F_SHARED_OBJECT(18),
  /** The back-end's state can be saved and loaded. */
  VHOST_USER_PROTOCOL_F_DEVICE_STATE(19),
  /** GET_VRING_BASE leaves requests in flight. */
  VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT(20),
  /** Ring addresses are guest-physical. */
  VHOST_USER_PROTOCOL_F_GPA_ADDRESSES(21),
  /** Shared memory regions of the device. */
  VHOST_USER_PROTOCOL_F_SHMEM(22),
  /** GET_VRING_BASE_SKIP_DRAIN is understood. */
  VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN(23);

  private final int bit;

  ProtocolFeature(int bit) {
    this.bit = bit;
  }

  @Override
  public int bit() {
    return bit;
  }
}
