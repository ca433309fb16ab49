// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.netmap.offload.VnetHeader;

/// Puts the TCP segments of one flow that came in one burst together, for a driver that takes
/// segmented packets (VIRTIO_NET_F_GUEST_TSO4 and 6): its network stack then works once for all of
/// them. Nothing ever waits for a later burst, and what goes on the wire again comes out as it
/// came.
///
/// ```
///   burst   A1  B1  A2  A3  B2  A4(FIN)  A5        groups {A1 A2 A3} and {B1 B2}; A4 and A5 go alone
///   guest   A1-A2-A3  B1-B2  A4  A5                each at the place of its first segment
/// ```
///
/// A frame of the same flow that does not go on where the group ended closes it, and so does one
/// whose flow can't be told: no frame ever overtakes another of its flow. Both checksums of every
/// segment are verified before it is merged, because the driver will not do it: corruption is
/// handed on as it came, alone.
///
/// Use: {@link #look}, then for each group its {@link #members}, {@link #length}, {@link #header}
/// and {@link #write}. The only copy of the data is the one in {@link #write}. One thread.
final class Coalescer {
  /** csum_offset of a group: where the checksum stands in a TCP header. */
  static final int CHECKSUM_OFFSET = 16;

  private final SegmentHeaders headers = new SegmentHeaders();
  private final boolean ipv4;
  private final boolean ipv6;
  private final Pieces frame = new Pieces(64);
  private final long[] members = new long[Burst.FRAMES];
  private final int[] last = new int[Burst.FRAMES];
  private final int[] bytes = new int[Burst.FRAMES]; // of payload, in the whole group
  private long open; // the first frames of groups that may grow
  private long sound; // frames whose checksums have been verified

  private Coalescer(boolean ipv4, boolean ipv6) {
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  /** For a driver that takes this, as {@link Offload} has it; null when it takes no groups. */
  static @Nullable Coalescer of(int takes) {
    boolean ipv4 = (takes & Offload.TSO4) != 0;
    boolean ipv6 = (takes & Offload.TSO6) != 0;
    return ipv4 || ipv6 ? new Coalescer(ipv4, ipv6) : null;
  }

  /**
   * Finds the groups among some frames of a burst.
   *
   * @return the first frame of each group of two and more
   */
  long look(Burst burst, long frames) {
    return isWorth(burst, frames) ? group(burst, frames) : 0;
  }

  /** There have to be two frames for anything to happen. */
  private static boolean isWorth(Burst burst, long frames) {
    boolean one = false;
    for (long left = frames; left != 0; left &= left - 1) {
      if (SegmentHeaders.mayBeTcp(burst, Long.numberOfTrailingZeros(left))) {
        if (one) {
          return true;
        }
        one = true;
      }
    }
    return false;
  }

  private long group(Burst burst, long frames) {
    open = 0;
    sound = 0;
    long groups = 0;
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      int kind = (burst.offloads >>> i & 1) != 0 ? SegmentHeaders.UNKNOWN : headers.read(burst, i);
      switch (kind) {
        case SegmentHeaders.OTHER -> {}
        case SegmentHeaders.LONE -> closeFlow(i);
        case SegmentHeaders.DATA -> groups |= join(burst, i);
        default -> open = 0;
      }
    }
    return groups;
  }

  /** Closes the groups of a frame's flow; of a flow with the same key too, which does no harm. */
  private void closeFlow(int i) {
    for (long left = open; left != 0; left &= left - 1) {
      int first = Long.numberOfTrailingZeros(left);
      if (headers.key(first) == headers.key(i)) {
        open &= ~(1L << first);
      }
    }
  }

  /** Adds a segment to a group, or lets it begin one; returns the first frame of what has grown. */
  private long join(Burst burst, int i) {
    for (long left = open; left != 0; left &= left - 1) {
      int first = Long.numberOfTrailingZeros(left);
      if (headers.key(first) == headers.key(i) && fits(burst, first, i)) {
        add(first, i);
        return 1L << first;
      }
    }
    closeFlow(i);
    begin(i);
    return 0;
  }

  private boolean fits(Burst burst, int first, int i) {
    return headers.isPacket(first, bytes[first] + headers.payload(i))
        && headers.goesOn(first, last[first], i, bytes[first])
        && isSound(burst, first)
        && isSound(burst, i);
  }

  private boolean isSound(Burst burst, int i) {
    if ((sound >>> i & 1) == 0 && headers.isSound(burst, i)) {
      sound |= 1L << i;
    }
    return (sound >>> i & 1) != 0;
  }

  private void begin(int i) {
    if (headers.isPushed(i) || !(headers.isIpv4(i) ? ipv4 : ipv6)) {
      return;
    }
    members[i] = 1L << i;
    last[i] = i;
    bytes[i] = headers.payload(i);
    open |= 1L << i;
  }

  private void add(int first, int i) {
    members[first] |= 1L << i;
    last[first] = i;
    bytes[first] += headers.payload(i);
    // Cut again into segments of gso_size, only the last one can be short or carry PSH.
    if (headers.payload(i) < headers.payload(first) || headers.isPushed(i)) {
      open &= ~(1L << first);
    }
  }

  /** The frames of a group. */
  long members(int first) {
    return members[first];
  }

  /** Bytes of a group as one frame. */
  int length(int first) {
    return headers.data(first) + bytes[first];
  }

  /** The virtio-net header that a group needs, in the form of {@link Burst#header}. */
  long header(int first) {
    boolean four = headers.isIpv4(first);
    return Offload.segmentHeader(
        four ? VnetHeader.GSO_TCPV4 : VnetHeader.GSO_TCPV6,
        headers.data(first),
        headers.payload(first),
        headers.transport(first),
        four);
  }

  /** Writes a group as one frame to a place of {@link #length} bytes. */
  void write(Burst burst, int first, Pieces to) {
    int data = headers.data(first);
    to.rewind();
    to.put(headers.merged(first, last[first], bytes[first]), data);
    for (long left = members[first]; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      burst.lend(i, frame);
      frame.skip(data);
      frame.copy(to, headers.payload(i));
    }
  }
}
