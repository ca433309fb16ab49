// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Chains;

/**
 * Reads one frame of a burst from its beginning, piece by piece: for frames that cross segments on
 * either side. Bounded by the frame's length as it was when the burst was peeked. One thread.
 */
final class FrameCursor {
  private int segment;
  private int offset;

  /** Goes to the first byte of frame {@code i}. */
  void start(Burst burst, int i) {
    segment = burst.segment[i];
    offset = 0;
  }

  /** Copies the next {@code length} bytes, which the frame must still have, to one place. */
  void copy(Burst burst, long to, int length) {
    Chains table = burst.table;
    int done = 0;
    while (done < length) {
      int have = table.segmentLength[segment] - offset;
      int part = Math.min(have, length - done);
      Memory.copy(table.segmentAddress[segment] + offset, to + done, part);
      done += part;
      if (part == have) {
        segment++;
        offset = 0;
      } else {
        offset += part;
      }
    }
  }
}
