// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import static org.vhostnetmap.vhost.feature.ProtocolFeature.*;
import static org.vhostnetmap.vhost.message.FdRule.ONE;
import static org.vhostnetmap.vhost.message.FdRule.ONE_UNLESS_FLAGGED;
import static org.vhostnetmap.vhost.message.FdRule.PER_REGION;
import static org.vhostnetmap.vhost.message.Payload.CONFIG;
import static org.vhostnetmap.vhost.message.Payload.CRYPTO;
import static org.vhostnetmap.vhost.message.Payload.DEVICE_STATE;
import static org.vhostnetmap.vhost.message.Payload.INFLIGHT;
import static org.vhostnetmap.vhost.message.Payload.IOTLB;
import static org.vhostnetmap.vhost.message.Payload.LOG;
import static org.vhostnetmap.vhost.message.Payload.MEMORY_TABLE;
import static org.vhostnetmap.vhost.message.Payload.SINGLE_REGION;
import static org.vhostnetmap.vhost.message.Payload.U64;
import static org.vhostnetmap.vhost.message.Payload.UUID;
import static org.vhostnetmap.vhost.message.Payload.VRING_ADDRESS;
import static org.vhostnetmap.vhost.message.Payload.VRING_FD;
import static org.vhostnetmap.vhost.message.Payload.VRING_STATE;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.vhost.feature.ProtocolFeature;

/**
 * What a front-end may ask, one row per message of the vhost-user document ("Front-end message
 * types").
 *
 * <p>Columns: number on the wire; payload; whether it is answered even without need_reply; file
 * descriptors it brings; the protocol feature that must have been offered, if any.
 */
public enum FrontendRequest {
  // number  payload  own reply  fds  needs
  VHOST_USER_GET_FEATURES(1, Payload.NONE, true, FdRule.NONE, null),
  VHOST_USER_SET_FEATURES(2, U64, false, FdRule.NONE, null),
  VHOST_USER_SET_OWNER(3, Payload.NONE, false, FdRule.NONE, null),
  VHOST_USER_RESET_OWNER(4, Payload.NONE, false, FdRule.NONE, null),
  VHOST_USER_SET_MEM_TABLE(5, MEMORY_TABLE, false, PER_REGION, null),
  VHOST_USER_SET_LOG_BASE(6, LOG, true, ONE, VHOST_USER_PROTOCOL_F_LOG_SHMFD),
  VHOST_USER_SET_LOG_FD(7, Payload.NONE, false, ONE, VHOST_USER_PROTOCOL_F_LOG_SHMFD),
  VHOST_USER_SET_VRING_NUM(8, VRING_STATE, false, FdRule.NONE, null),
  VHOST_USER_SET_VRING_ADDR(9, VRING_ADDRESS, false, FdRule.NONE, null),
  VHOST_USER_SET_VRING_BASE(10, VRING_STATE, false, FdRule.NONE, null),
  VHOST_USER_GET_VRING_BASE(11, VRING_STATE, true, FdRule.NONE, null),
  VHOST_USER_SET_VRING_KICK(12, VRING_FD, false, ONE_UNLESS_FLAGGED, null),
  VHOST_USER_SET_VRING_CALL(13, VRING_FD, false, ONE_UNLESS_FLAGGED, null),
  VHOST_USER_SET_VRING_ERR(14, VRING_FD, false, ONE_UNLESS_FLAGGED, null),
  VHOST_USER_GET_PROTOCOL_FEATURES(15, Payload.NONE, true, FdRule.NONE, null),
  VHOST_USER_SET_PROTOCOL_FEATURES(16, U64, false, FdRule.NONE, null),
  VHOST_USER_GET_QUEUE_NUM(17, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_MQ),
  VHOST_USER_SET_VRING_ENABLE(18, VRING_STATE, false, FdRule.NONE, null),
  VHOST_USER_SEND_RARP(19, U64, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_RARP),
  VHOST_USER_NET_SET_MTU(20, U64, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_MTU),
  VHOST_USER_SET_BACKEND_REQ_FD(21, Payload.NONE, false, ONE, VHOST_USER_PROTOCOL_F_BACKEND_REQ),
  VHOST_USER_IOTLB_MSG(22, IOTLB, false, FdRule.NONE, null),
  VHOST_USER_SET_VRING_ENDIAN(
      23, VRING_STATE, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_CROSS_ENDIAN),
  VHOST_USER_GET_CONFIG(24, CONFIG, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_CONFIG),
  VHOST_USER_SET_CONFIG(25, CONFIG, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_CONFIG),
  VHOST_USER_CREATE_CRYPTO_SESSION(
      26, CRYPTO, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_CRYPTO_SESSION),
  VHOST_USER_CLOSE_CRYPTO_SESSION(
      27, CRYPTO, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_CRYPTO_SESSION),
  VHOST_USER_POSTCOPY_ADVISE(28, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_PAGEFAULT),
  VHOST_USER_POSTCOPY_LISTEN(29, Payload.NONE, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_PAGEFAULT),
  VHOST_USER_POSTCOPY_END(30, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_PAGEFAULT),
  VHOST_USER_GET_INFLIGHT_FD(31, INFLIGHT, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD),
  VHOST_USER_SET_INFLIGHT_FD(32, INFLIGHT, false, ONE, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD),
  VHOST_USER_GPU_SET_SOCKET(33, Payload.NONE, false, ONE, null),
  VHOST_USER_RESET_DEVICE(34, Payload.NONE, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_RESET_DEVICE),
  VHOST_USER_VRING_KICK(
      35, VRING_STATE, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS),
  VHOST_USER_GET_MAX_MEM_SLOTS(
      36, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
  VHOST_USER_ADD_MEM_REG(37, SINGLE_REGION, false, ONE, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
  VHOST_USER_REM_MEM_REG(
      38, SINGLE_REGION, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
  VHOST_USER_SET_STATUS(39, U64, false, FdRule.NONE, VHOST_USER_PROTOCOL_F_STATUS),
  VHOST_USER_GET_STATUS(40, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_STATUS),
  VHOST_USER_GET_SHARED_OBJECT(41, UUID, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_SHARED_OBJECT),
  VHOST_USER_SET_DEVICE_STATE_FD(42, DEVICE_STATE, true, ONE, VHOST_USER_PROTOCOL_F_DEVICE_STATE),
  VHOST_USER_CHECK_DEVICE_STATE(
      43, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_DEVICE_STATE),
  VHOST_USER_GET_SHMEM_CONFIG(44, Payload.NONE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_SHMEM),
  VHOST_USER_GET_VRING_BASE_SKIP_DRAIN(
      45, VRING_STATE, true, FdRule.NONE, VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN);

  private static final FrontendRequest[] BY_NUMBER = values();

  private final int number;
  private final Payload payload;
  private final boolean ownReply;
  private final FdRule fds;
  private final @Nullable ProtocolFeature feature;

  FrontendRequest(
      int number,
      Payload payload,
      boolean ownReply,
      FdRule fds,
      @Nullable ProtocolFeature feature) {
    this.number = number;
    this.payload = payload;
    this.ownReply = ownReply;
    this.fds = fds;
    this.feature = feature;
  }

  /** The request with this number (any 32 bits), or null when the document knows none. */
  public static @Nullable FrontendRequest of(int number) {
    return number >= 1 && number <= BY_NUMBER.length ? BY_NUMBER[number - 1] : null;
  }

  /** Number on the wire. */
  public int number() {
    return number;
  }

  /** What follows the header. */
  public Payload payload() {
    return payload;
  }

  /** Whether it is answered without being asked for; then need_reply adds nothing. */
  public boolean hasOwnReply() {
    return ownReply;
  }

  /** The file descriptors it brings. */
  public FdRule fds() {
    return fds;
  }

  /** The protocol feature that must have been offered for it, or null. */
  public @Nullable ProtocolFeature feature() {
    return feature;
  }
}
