// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Locale;

/**
 * Why a frame died; every dropped frame has exactly one, and each is a counter of its own per
 * queue.
 */
public enum DropReason {
  /** Shorter than an Ethernet header. */
  TOO_SHORT("shorter than an Ethernet header"),
  /** Longer than any frame, or than what the sink can carry. */
  TOO_LONG("longer than the port can carry"),
  /** The port has no front-end, its driver is not up, or the ring is disabled. */
  NOT_READY("the port is not up"),
  /** The guest has no receive buffers: it does not keep up. */
  NO_BUFFERS("the guest has no receive buffers"),
  /**
   * The guest's receive buffers can't hold the frame (no mergeable buffers, or too many needed).
   */
  BUFFER_TOO_SMALL("the guest's receive buffers are too small"),
  /** The port only sends to us: a monitor, or a port whose RX rings alone are bound. */
  RECEIVES_ONLY("nothing can be sent to the port"),
  /** The guest's virtio-net header asks for what can't be done to this frame. */
  BAD_OFFLOAD("the virtio-net header asks for the impossible"),
  /** More than the port may send, or be sent, by its rate limit. */
  RATE_LIMIT("over the port's rate limit"),
  /** The sink's ring or queue is full: whoever drains it does not keep up. */
  QUEUE_FULL("the queue is full"),
  /** The host refused the frame. */
  HOST_REFUSED("the host refused the frame"),
  /** The destination lives on the port that the frame came from. */
  SAME_PORT("the destination is on the same port"),
  /** There is no other port. */
  NO_OTHER_PORT("there is no other port"),
  /** The port's memory vanished under the frame. */
  MEMORY_VANISHED("the port's memory vanished");

  private final String words;

  DropReason(String words) {
    this.words = words;
  }

  /** The reason in plain words. */
  public String words() {
    return words;
  }

  /** The reason as a counter's name. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }
}
