// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/**
 * The guest broke a rule of its ring. The ring is stopped with this as its reason and heals at the
 * next reset or reconnect; nothing else is touched. Carries no stack trace: the place in our code
 * says nothing about the guest.
 */
public final class GuestFault extends Exception {
  private static final long serialVersionUID = 1L;

  /** Which rule was broken; each is a counter's name. */
  public enum Reason {
    /** avail.idx is more than the ring's size ahead (virtio 1.3, 2.7.13). */
    AVAILABLE_INDEX("available index out of range"),
    /** A head in the available ring is no descriptor's index. */
    HEAD_INDEX("head out of range"),
    /** {@code next} is no descriptor's index (2.7.5). */
    NEXT_INDEX("next out of range"),
    /** The chain has more descriptors than its table or ring: it loops (2.7.5.1, 2.8.17). */
    DESCRIPTOR_LOOP("descriptor loop"),
    /** A chain of a packed ring goes on in a descriptor that is not available (2.8.6). */
    CHAIN_CUT("chain goes on where nothing is available"),
    /** A buffer or an indirect table is not wholly inside guest memory. */
    ADDRESS("buffer outside guest memory"),
    /**
     * An indirect table of no whole number of descriptors, empty, nested, or not negotiated
     * (2.7.5.3.1).
     */
    INDIRECT("malformed indirect table"),
    /** A chain of more pieces than one burst can hold, or a piece of more than 1 GiB. */
    CHAIN_SIZE("chain too large"),
    /**
     * A device-readable descriptor after a device-writable one, or of the wrong direction for this
     * ring (2.7.4.2).
     */
    DIRECTION("descriptor of the wrong direction");

    private final String words;

    Reason(String words) {
      this.words = words;
    }

    /** The reason in plain words. */
    public String words() {
      return words;
    }
  }

  private final Reason reason;

  /** {@code detail} names the offending number, such as {@code "at 17"}; may be empty. */
  public GuestFault(Reason reason, String detail) {
    super(detail.isEmpty() ? reason.words() : reason.words() + " " + detail, null, false, false);
    this.reason = reason;
  }

  /** The rule that was broken. */
  public Reason reason() {
    return reason;
  }
}
