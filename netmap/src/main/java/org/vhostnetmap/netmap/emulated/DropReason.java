// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

/** Why the device, not its user, dropped a frame. */
public enum DropReason {
  /** buf_idx of a TX slot is out of range. */
  NO_BUFFER(0, "the slot names no buffer"),
  /** len of a TX slot is more than a buffer holds. */
  TOO_LONG(1, "the frame is longer than a buffer or the link takes"),
  /** Less than an Ethernet header. */
  TOO_SHORT(2, "the frame is shorter than an Ethernet header"),
  /** A receiver that does not keep up. */
  RING_FULL(3, "the receiver's ring was full"),
  /** The NIC, or the host's stack, did not take it. */
  REFUSED(4, "the host did not take the frame"),
  /** Fragments that this kind of port does not put together. */
  FRAGMENTED(5, "the frame spans several slots"),
  /** Forwarded by NS_FORWARD to where there is no way. */
  NO_ROOM(6, "no room to forward the frame"),
  /** A switch knows no other port for it that is open. */
  NO_WAY(7, "the destination is on no open port, or on the one it came from"),
  /** The virtio-net header is cut short or spans slots. */
  NO_HEADER(8, "the virtio-net header does not lie wholly in the first slot"),
  /** The virtio-net header asks for what can't be done. */
  BAD_OFFLOAD(9, "the virtio-net header does not fit the frame"),
  /** Towards the host's stack, which would drop it as well. */
  NOT_FOR_HOST(10, "the frame is for another station than the host");

  private final int code;
  private final String words;

  DropReason(int code, String words) {
    this.code = code;
    this.words = words;
  }

  /** Its place in an array of counters. */
  int code() {
    return code;
  }

  /** The reason for people. */
  public String words() {
    return words;
  }
}
