// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.virtqueue.Chains;

/**
 * Up to {@value #FRAMES} frames that a {@link Source} lends in place, as parallel arrays over one
 * flat table of segments. Each worker has one; nothing in it outlives a round.
 *
 * <p>A frame begins with its Ethernet destination address; virtio-net headers are stripped. Lengths
 * are in bytes, addresses are host addresses that the source has checked. Sets of frames are 64-bit
 * masks: bit {@code i} is frame {@code i}.
 */
final class Burst {
  /**
   * Frames that fit: front-ends send 32 at a time, and a used index is to be published that often
   * (design).
   */
  static final int FRAMES = 32;

  private static final int FEW_QUEUES = 8;

  /** Bytes after which a source that has more ends a burst: what one round may cost the others. */
  static final int BYTES = 256 * 1024;

  /** An Ethernet header, the shortest frame. */
  static final int SHORTEST_FRAME = 14;

  /** The longest frame: 64 KiB of IP packet behind an Ethernet header with a VLAN tag. */
  static final int LONGEST_FRAME = 65535 + 18;

  /** Where the segments are; a guest's transmitq peeks its chains right into it. */
  final Chains table = new Chains();

  /** Host address of each frame's first segment. */
  final long[] address = new long[FRAMES];

  /** Bytes in each frame. */
  final int[] length = new int[FRAMES];

  /** Index in the table of each frame's first segment. */
  final int[] segment = new int[FRAMES];

  /** Segments of each frame, 1 or more. */
  final int[] segments = new int[FRAMES];

  private long[] ofQueue = new long[FEW_QUEUES];

  /** First slot of each frame in {@link #lender}. */
  final int[] slot = new int[FRAMES];

  /**
   * The netmap ring whose slots the frames lie in, each frame at the beginning of its first slot's
   * buffer; or null.
   */
  @Nullable NetmapRing lender;

  /**
   * Of the frames under offer: those that nobody will look at after this offer. A sink may take
   * such a frame with its buffer, leaving another buffer in the lender's slot.
   */
  long movable;

  /** Frames that are fit to be forwarded. */
  long valid;

  /** Why each of the others is not. */
  final DropReason[] reason = new DropReason[FRAMES];

  /**
   * Of the valid frames: those whose sender left work to be done, a checksum or segmentation, as
   * {@link #header} and {@link #checksumOffset} tell. The others have zeroes in both.
   */
  long offloads;

  /**
   * The first eight bytes of the virtio-net header of each frame in {@link #offloads}, read once
   * from the guest and validated, in the form of {@link Offload}.
   */
  final long[] header = new long[FRAMES];

  /** csum_offset of the same. */
  final int[] checksumOffset = new int[FRAMES];

  /** Room for a source to note the first eight bytes of each virtio-net header. */
  final long[] fields = new long[FRAMES];

  /**
   * And of each frame. Nobody reads them here: they are loaded so that the cache line is on its
   * way, and kept because the compiler leaves out a load whose value goes nowhere.
   */
  final long[] start = new long[FRAMES];

  /** Frames in the burst, fit or not. */
  int count;

  /** Whether the sink took a part of a frame under offer that it is not done with. */
  boolean progressed;

  /**
   * Of the frames under offer: those the sink is done with, delivered or dropped. Told as it goes
   * on.
   */
  long taken;

  /** Forgets all frames. */
  void clear() {
    if (offloads != 0) {
      forgetOffloads();
    }
    count = 0;
    valid = 0;
    lender = null;
    table.clear();
  }

  private void forgetOffloads() {
    Arrays.fill(header, 0);
    Arrays.fill(checksumOffset, 0);
    offloads = 0;
  }

  /** Appends a frame of one segment. */
  void append(long frameAddress, int frameLength) {
    int i = count++;
    table.segmentAddress[i] = frameAddress;
    table.segmentLength[i] = frameLength;
    set(i, i, 1, frameLength);
  }

  /** Makes frame {@code i} the given segments of the table. */
  void set(int i, int firstSegment, int segmentCount, int frameLength) {
    address[i] = table.segmentAddress[firstSegment];
    segment[i] = firstSegment;
    segments[i] = segmentCount;
    length[i] = frameLength;
    valid |= 1L << i;
  }

  /** Makes the first {@code n} frames the first {@code n} segments of the table. */
  void setPlain(int n) {
    for (int i = 0; i < n; i++) {
      address[i] = table.segmentAddress[i];
      segment[i] = i;
      segments[i] = 1;
      length[i] = table.segmentLength[i];
    }
    valid |= first(n);
  }

  /** Zeroes, for a sink of so many queues to note which frames go to each. */
  long[] queueFrames(int queues) {
    if (queues > ofQueue.length) {
      ofQueue = new long[queues]; // once
    }
    Arrays.fill(ofQueue, 0, queues, 0);
    return ofQueue;
  }

  /** Forgets all frames but the first {@code n}. */
  void shorten(int n) {
    count = n;
    valid &= first(n);
    offloads &= first(n);
  }

  /** Makes frame {@code i} unfit. */
  void refuse(int i, DropReason why) {
    reason[i] = why;
  }

  /** The frames of a mask from {@code first} on. */
  static long from(int first) {
    return first >= 64 ? 0 : (-1L << first);
  }

  /** The first {@code n} frames. */
  static long first(int n) {
    return ~from(n);
  }

  /** Bytes in the frames of a mask. */
  long bytes(long frames) {
    long sum = 0;
    for (long left = frames; left != 0; left &= left - 1) {
      sum += length[Long.numberOfTrailingZeros(left)];
    }
    return sum;
  }

  /** Destination MAC address of a frame in the low 48 bits, the first byte on the wire lowest. */
  long destination(int i) {
    return head(i, 0) & MacTable.MAC_MASK;
  }

  /** Source MAC address of a frame, likewise. */
  long source(int i) {
    return head(i, 6) & MacTable.MAC_MASK;
  }

  /** Eight bytes at {@code offset} of a valid frame, offset at most 6. */
  private long head(int i, int offset) {
    if (table.segmentLength[segment[i]] >= SHORTEST_FRAME) {
      return Memory.getLong(address[i] + offset);
    }
    return gather(i, offset, 8);
  }

  /**
   * Up to eight bytes at any offset of a frame, gathered from its segments, the first byte lowest.
   */
  long gather(int i, int offset, int bytes) {
    return offset + Long.BYTES <= table.segmentLength[segment[i]]
        ? Memory.getLong(address[i] + offset) & (-1L >>> (Long.SIZE - Byte.SIZE * bytes))
        : gatherSlowly(i, offset, bytes);
  }

  private long gatherSlowly(int i, int offset, int bytes) {
    long value = 0;
    int from = offset;
    int got = 0;
    for (int s = segment[i]; s < segment[i] + segments[i] && got < bytes; s++) {
      int have = table.segmentLength[s];
      while (from < have && got < bytes) {
        value |= (long) Memory.getUnsignedByte(table.segmentAddress[s] + from++) << (8 * got++);
      }
      from -= Math.min(from, have);
    }
    return value;
  }

  /** Whether the first and last byte of every segment of these frames can be read at all. */
  boolean isReadable(long frames) {
    int sum = 0; // what is read must matter, or the compiler leaves the reading out
    try {
      for (long left = frames; left != 0; left &= left - 1) {
        int i = Long.numberOfTrailingZeros(left);
        for (int s = segment[i]; s < segment[i] + segments[i]; s++) {
          long first = table.segmentAddress[s];
          sum += Memory.getUnsignedByte(first);
          sum += Memory.getUnsignedByte(first + table.segmentLength[s] - 1);
        }
      }
      return sum != Integer.MIN_VALUE;
    } catch (InternalError vanished) {
      return false;
    }
  }

  /** Copies a frame to one place: the only copy it gets. */
  void copyTo(int i, long to) {
    if (segments[i] == 1) {
      Memory.copy(address[i], to, length[i]);
      return;
    }
    long at = to;
    for (int s = segment[i]; s < segment[i] + segments[i]; s++) {
      int part = table.segmentLength[s];
      Memory.copy(table.segmentAddress[s], at, part);
      at += part;
    }
  }

  /** Lends a frame's segments as pieces of memory, from its first byte on. */
  void lend(int i, Pieces pieces) {
    pieces.clear();
    for (int s = segment[i]; s < segment[i] + segments[i]; s++) {
      pieces.add(table.segmentAddress[s], table.segmentLength[s]);
    }
  }
}
