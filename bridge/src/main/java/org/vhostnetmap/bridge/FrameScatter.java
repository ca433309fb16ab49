// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.vhost.NetHeader;
import org.vhostnetmap.virtqueue.Chains;

/**
 * Writes a virtio-net header and a frame over one or more descriptor chains whose segments may be
 * cut anywhere, the header included. The caller has made sure that the chains hold both. One
 * thread.
 */
final class FrameScatter {
  private final int headerLength;
  private final Pieces room = new Pieces(64);
  private final Pieces frame = new Pieces(64);

  FrameScatter(int headerLength) {
    this.headerLength = headerLength;
  }

  /**
   * Writes frame {@code i} with its header over {@code count} chains from {@code chain} on and sets
   * what was written to each.
   */
  void write(Burst burst, int i, Chains chains, int chain, int count) {
    long header = Offload.wire(burst.header[i]);
    int length = burst.length[i];
    Pieces to = open(chains, chain, count, length, header, burst.checksumOffset[i]);
    burst.lend(i, frame);
    frame.copy(to, length);
  }

  /**
   * Writes a header over the chains, sets what will have been written to each, and returns the room
   * for the {@code length} bytes of the frame behind it, which may lie in all of them.
   *
   * @param header first eight bytes of the virtio-net header
   */
  Pieces open(Chains chains, int chain, int count, int length, long header, int checksumOffset) {
    room.clear();
    int headerDone = 0;
    int left = length;
    for (int c = chain; c < chain + count; c++) {
      int written = 0;
      for (int s = chains.firstSegment[c]; s < chains.firstSegment[c + 1]; s++) {
        long to = chains.segmentAddress[s];
        int have = chains.segmentLength[s];
        int part = Math.min(headerLength - headerDone, have);
        for (int b = 0; b < part; b++) {
          Memory.putByte(to + b, headerByte(headerDone + b, header, checksumOffset, count));
        }
        headerDone += part;
        int data = Math.min(left, have - part);
        room.add(to + part, data);
        left -= data;
        written += part + data;
      }
      chains.written[c] = written;
    }
    return room;
  }

  private static int headerByte(int offset, long header, int checksumOffset, int buffers) {
    return switch (offset) {
      case NetHeader.CSUM_OFFSET -> checksumOffset;
      case NetHeader.CSUM_OFFSET + 1 -> checksumOffset >>> 8;
      case NetHeader.NUM_BUFFERS -> buffers;
      case NetHeader.NUM_BUFFERS + 1 -> buffers >>> 8;
      default -> (int) (header >>> (8 * offset));
    };
  }
}
