// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.NetHeader;
import org.vhostnetmap.vhost.Vring;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * A guest's transmitq as a source: virtio 1.3, 5.1.6.2. Strips the virtio-net header; what it asks
 * for goes into the burst.
 */
final class GuestTransmit implements Source {
  /** How long a ring without a kick fd may be left alone: it has to be polled. */
  private static final long POLLED_RING_REST_NANOS = 100_000;

  private final Vring vring;
  private final Virtqueue queue;
  private final int headerLength;
  private final QueueCounters counters;
  private final OffloadCapture capture;
  private final long asks; // bits of a header's first eight bytes that ask for something
  private final RingCall call;
  private boolean faulted;

  /**
   * A source over a transmitq.
   *
   * @param asked what the driver may leave to us, as {@link Offload} has it
   */
  GuestTransmit(Vring vring, int headerLength, int asked, QueueCounters counters) {
    this.vring = vring;
    this.capture = new OffloadCapture(asked);
    this.asks = capture.looksAt();
    this.queue = vring.queue();
    this.headerLength = headerLength;
    this.counters = counters;
    call = new RingCall(vring, counters);
  }

  /** Leaves at least so long between two calls; before any worker has the ring. */
  GuestTransmit pausing(long nanos) {
    call.pausing(nanos);
    return this;
  }

  Vring vring() {
    return vring;
  }

  @Override
  public void peek(Burst burst) {
    if (faulted) {
      return;
    }
    try {
      burst.count = queue.peek(burst.table, Burst.FRAMES);
    } catch (GuestFault fault) {
      fail(fault);
      return;
    }
    Chains chains = burst.table;
    int plain = Math.min(chains.plain(), burst.count);
    readHeaders(burst, chains, plain);
    stripPlain(burst, chains, plain);
    long bytes = 0;
    for (int i = 0; i < burst.count; i++) {
      bytes += chains.length[i];
      if (bytes > Burst.BYTES && i > 0) {
        burst.shorten(i); // the rest is for the next round: others wait for their turn
        return;
      }
      if (i >= plain) {
        bytes += stripSlowly(burst, i, chains.firstSegment[i], chains.length[i] - headerLength);
      } else if (asks != 0 && (burst.fields[i] & asks) != 0 && (burst.valid & 1L << i) != 0) {
        long checksumOffset = chains.segmentAddress[i] - headerLength + NetHeader.CSUM_OFFSET;
        bytes += capture.take(burst, i, burst.fields[i], Memory.getUnsignedShort(checksumOffset));
      }
    }
  }

  /**
   * Reads each header once, if it may ask for anything: the guest may change it meanwhile. And the
   * beginning of each frame, so that the cache lines of all of them are on their way before the
   * first one is looked at. Of chains too short for a frame nothing is read.
   */
  private void readHeaders(Burst burst, Chains chains, int plain) {
    long[] segmentAddress = chains.segmentAddress;
    int[] segmentLength = chains.segmentLength;
    long[] fields = burst.fields;
    long[] start = burst.start;
    for (int i = 0; i < plain; i++) {
      if (segmentLength[i] >= headerLength + Long.BYTES) {
        long header = segmentAddress[i];
        if (asks != 0) {
          fields[i] = Memory.getLong(header);
        }
        start[i] = Memory.getLong(header + headerLength);
      }
    }
  }

  /** Frames of one segment: nearly all there are. */
  private void stripPlain(Burst burst, Chains chains, int plain) {
    long[] segmentAddress = chains.segmentAddress;
    int[] segmentLength = chains.segmentLength;
    long unfit = 0;
    for (int i = 0; i < plain; i++) {
      int frame = segmentLength[i] - headerLength;
      unfit |= isFit(frame) ? 0 : 1L << i;
      segmentAddress[i] += headerLength;
      segmentLength[i] = frame;
    }
    burst.setPlain(plain);
    for (long left = unfit; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      refuse(burst, i, segmentLength[i]);
    }
    burst.valid &= ~unfit;
  }

  private static boolean isFit(long frame) {
    return frame >= Burst.SHORTEST_FRAME && frame <= Burst.LONGEST_FRAME;
  }

  /** A frame of so many bytes, fewer than none where there is not even a header. */
  private static void refuse(Burst burst, int i, long frame) {
    burst.length[i] = Math.clamp(frame, 0, Integer.MAX_VALUE);
    burst.refuse(i, frame < Burst.SHORTEST_FRAME ? DropReason.TOO_SHORT : DropReason.TOO_LONG);
  }

  /** The header is alone in its descriptors, or split over several, or the frame is unfit. */
  private long stripSlowly(Burst burst, int i, int firstSegment, long frame) {
    if (!isFit(frame)) {
      refuse(burst, i, frame);
      return 0;
    }
    Chains chains = burst.table;
    int first = firstSegment;
    int left = headerLength;
    burst.set(i, first, chains.segments(i), (int) frame); // as if the header were of the frame
    long fields = burst.gather(i, 0, Long.BYTES);
    int checksumOffset = (int) burst.gather(i, NetHeader.CSUM_OFFSET, Short.BYTES);
    while (left >= chains.segmentLength[first]) {
      left -= chains.segmentLength[first++];
    }
    chains.segmentAddress[first] += left;
    chains.segmentLength[first] -= left;
    burst.set(i, first, chains.firstSegment[i + 1] - first, (int) frame);
    return (fields & asks) == 0 ? 0 : capture.take(burst, i, fields, checksumOffset);
  }

  private void fail(GuestFault fault) {
    faulted = true;
    vring.fail(fault);
  }

  @Override
  public void count(Burst burst, int count) {
    counters.count(burst, count);
  }

  @Override
  public void advance(Burst burst, int count) {
    // virtio 1.3, 2.7.8.2: the device wrote nothing, so each used length is the 0 the table was
    // made with.
    queue.complete(burst.table, count);
    call.published(); // first: a vanished page must not make us forget it
    queue.publish();
  }

  @Override
  public long tryCall() {
    return call.call();
  }

  /** See {@link RingCall#callAtLast}. */
  void callAtLast() {
    call.callAtLast();
  }

  @Override
  public int readyFd() {
    return vring.kickFd();
  }

  @Override
  public long rest() {
    if (faulted) {
      return UNTIL_READY;
    }
    try {
      if (queue.wantKicks()) {
        queue.refuseKicks();
        return 0;
      }
    } catch (GuestFault fault) {
      fail(fault);
    }
    return vring.kickFd() >= 0 ? UNTIL_READY : POLLED_RING_REST_NANOS;
  }

  @Override
  public void wake() {
    vring.drainKicks();
    if (!faulted) {
      queue.refuseKicks();
    }
  }
}
