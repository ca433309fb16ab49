// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.offload.OffloadFault;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.netmap.offload.Segmenter;
import org.vhostnetmap.netmap.offload.VnetHeader;

/**
 * One frame of a burst, done in software for a sink that can't take it as it is: with its checksum
 * completed, or cut into several frames. The data is copied once, from where the frame lies to
 * where the sink says. Use: {@link #begin}, then {@link #next} as often as {@link #frames} says.
 * One thread.
 */
final class SoftwareOffload {
  private final VnetHeader asked = new VnetHeader();
  private final Pieces frame = new Pieces(64);
  private final Segmenter segmenter = new Segmenter();
  private boolean segments;
  private int length;

  /**
   * Looks at a frame of {@link Burst#offloads}.
   *
   * @param longest bytes of a frame that the sink takes
   * @return why the sink has to drop it, or null
   */
  @Nullable DropReason begin(Burst burst, int i, int longest) {
    long header = burst.header[i];
    asked.set(
        VnetHeader.NEEDS_CSUM,
        Offload.gsoType(header),
        Offload.gsoSize(header),
        Offload.csumStart(header),
        burst.checksumOffset[i]);
    burst.lend(i, frame);
    length = burst.length[i];
    segments = asked.segments();
    if (!segments) {
      return length <= longest ? null : DropReason.TOO_LONG;
    }
    // The packet may have changed since it was looked at; its headers are read anew.
    OffloadFault fault = segmenter.begin(frame, length, asked, longest);
    if (fault == null) {
      return null;
    }
    return fault == OffloadFault.DATAGRAM_SIZE ? DropReason.TOO_LONG : DropReason.BAD_OFFLOAD;
  }

  /** How many frames come out. */
  int frames() {
    return segments ? segmenter.segments() : 1;
  }

  /** Whether the frame is cut, be it into one. */
  boolean isCut() {
    return segments;
  }

  /** Bytes of the longest frame that comes out: of all but the last one. */
  int longest() {
    return segments ? segmenter.longest() : length;
  }

  /** Bytes of the last frame that comes out. */
  int last() {
    return segments ? segmenter.last() : length;
  }

  /** Bytes of the next frame. */
  int nextLength() {
    return segments ? segmenter.nextLength() : length;
  }

  /** Tells a cut frame from others of its flow, see {@link Segmenter#identity}. */
  int identity() {
    return segments ? segmenter.identity() : 0;
  }

  /** Leaves the next frame out. */
  void skip() {
    if (segments) {
      segmenter.skip();
    }
  }

  /** Writes the next frame over pieces of {@link #nextLength} bytes altogether. */
  void next(Pieces to) {
    if (segments) {
      segmenter.next(to);
      return;
    }
    to.rewind();
    frame.copy(to, length);
    to.complete(asked);
  }

  /** Writes the next frame to one place, and returns its bytes. */
  int next(long to) {
    if (segments) {
      return segmenter.next(to);
    }
    frame.copy(to, length);
    frame.clear();
    frame.add(to, length);
    frame.complete(asked);
    return length;
  }
}
