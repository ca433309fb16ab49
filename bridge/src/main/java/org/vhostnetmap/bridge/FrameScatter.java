// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.NetHeader;
import org.vhostnetmap.virtqueue.Chains;

/**
 * Writes a virtio-net header and a frame over one or more descriptor chains whose segments may be
 * cut anywhere, the header included. The caller has made sure that the chains hold both. One
 * thread.
 */
final class FrameScatter {
  private final int headerLength;
  private final FrameCursor frame = new FrameCursor();

  FrameScatter(int headerLength) {
    this.headerLength = headerLength;
  }

  /**
   * Writes frame {@code i} over {@code count} chains from {@code chain} on and sets what was
   * written to each.
   */
  void write(Burst burst, int i, Chains chains, int chain, int count) {
    frame.start(burst, i);
    int headerDone = 0;
    int left = burst.length[i];
    for (int c = chain; c < chain + count; c++) {
      int written = 0;
      for (int s = chains.firstSegment[c]; s < chains.firstSegment[c + 1]; s++) {
        long to = chains.segmentAddress[s];
        int room = chains.segmentLength[s];
        int header = Math.min(headerLength - headerDone, room);
        for (int b = 0; b < header; b++) {
          Memory.putByte(to + b, headerByte(headerDone + b, count));
        }
        headerDone += header;
        int data = Math.min(left, room - header);
        frame.copy(burst, to + header, data);
        left -= data;
        written += header + data;
      }
      chains.written[c] = written;
    }
  }

  private static int headerByte(int offset, int buffers) {
    return switch (offset) {
      case NetHeader.NUM_BUFFERS -> buffers;
      case NetHeader.NUM_BUFFERS + 1 -> buffers >>> 8;
      default -> 0;
    };
  }
}
