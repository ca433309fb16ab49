// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

/** Why a frame's virtio-net header asks for something that can't be done to this frame. */
public enum OffloadFault {
  /** The frame is shorter than its header, or the header does not lie in its first piece. */
  NO_HEADER("the virtio-net header does not lie wholly at the frame's beginning"),
  /** The checksum's field or range lies outside the frame, or inside the Ethernet header. */
  CHECKSUM_OUTSIDE("csum_start and csum_offset point outside the frame's packet"),
  /** gso_type names no kind of segmentation. */
  GSO_TYPE("gso_type is unknown"),
  /** gso_size is 0, or the headers alone fill a segment. */
  GSO_SIZE("gso_size leaves no room for data"),
  /** A datagram of gso_size bytes, which may not be cut, is longer than the link takes. */
  DATAGRAM_SIZE("gso_size makes datagrams longer than the link takes"),
  /** Ethernet, IP and transport headers are cut short, contradict gso_type, or can't be split. */
  GSO_HEADERS("the headers are not those of a packet that can be segmented");

  private final String reason;

  OffloadFault(String reason) {
    this.reason = reason;
  }

  /** In words, for counters. */
  public String reason() {
    return reason;
  }
}
