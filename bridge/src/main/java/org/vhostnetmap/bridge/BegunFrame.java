// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A frame that was cut, and of which only the first pieces found room: the source offers it again,
 * and the sink goes on where it stopped. Known by its place, length and header; should another
 * frame look the same, it goes without its first pieces, which is a loss and no more. One thread at
 * a time.
 */
final class BegunFrame {
  private long address;
  private long header;
  private int length;
  private int pieces;

  /** How many pieces of this frame, which has {@code most}, are with the receiver already. */
  int pieces(Burst burst, int i, int most) {
    boolean same =
        pieces < most
            && burst.address[i] == address
            && burst.length[i] == length
            && burst.header[i] == header;
    return same ? pieces : 0;
  }

  /** The first {@code count} pieces of this frame found room. */
  void keep(Burst burst, int i, int count) {
    address = burst.address[i];
    header = burst.header[i];
    length = burst.length[i];
    pieces = count;
  }

  /** The frame is through, or was dropped. */
  void forget() {
    pieces = 0;
  }
}
