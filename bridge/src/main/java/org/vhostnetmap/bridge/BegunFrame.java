// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A frame that was cut, and of which only the first pieces found room: the source offers it again,
 * and the sink goes on where it stopped. Known by its length and the headers that its pieces have
 * in common, not by its place, which the next frame may have too. One thread at a time.
 */
final class BegunFrame {
  private int identity;
  private int length;
  private int pieces;

  /** How many pieces of the frame that {@code cut} was begun with are with the receiver already. */
  int pieces(SoftwareOffload cut, int frameLength) {
    boolean same =
        pieces > 0 && pieces < cut.frames() && length == frameLength && identity == cut.identity();
    return same ? pieces : 0;
  }

  /** The first {@code count} pieces found room. */
  void keep(SoftwareOffload cut, int frameLength, int count) {
    identity = cut.identity();
    length = frameLength;
    pieces = count;
  }

  /** The frame is through, or was dropped. */
  void forget() {
    pieces = 0;
  }
}
