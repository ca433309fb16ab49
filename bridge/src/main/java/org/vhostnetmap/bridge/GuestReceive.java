// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.NetHeader;
import org.vhostnetmap.vhost.Vring;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * One receiveq of a guest as a sink: virtio 1.3, 5.1.6.4. Puts an empty virtio-net header before
 * each frame and spreads a frame over several buffers when the driver negotiated
 * VIRTIO_NET_F_MRG_RXBUF.
 */
final class GuestReceive implements Sink {
  private static final int ROUNDS = 16;
  private static final int NO_ROOM = -1;

  private final Vring vring;
  private final Virtqueue queue;
  private final int headerLength;
  private final boolean mergeable;
  private final QueueCounters counters;
  private final Chains chains = new Chains();
  private final FrameScatter scatter;
  private boolean kicksRefused;
  private boolean callWanted;
  private boolean faulted;

  GuestReceive(Vring vring, int headerLength, boolean mergeable, QueueCounters counters) {
    this.vring = vring;
    this.queue = vring.queue();
    this.headerLength = headerLength;
    this.mergeable = mergeable;
    this.counters = counters;
    this.scatter = new FrameScatter(headerLength);
  }

  Vring vring() {
    return vring;
  }

  @Override
  public synchronized long offer(Burst burst, long frames) {
    try {
      if (faulted) {
        return dropAll(burst, frames);
      }
      if (!kicksRefused) {
        // The driver kicks when it adds buffers; frames that find none are dropped or wait for the
        // next round, so we never ask. Not done at birth, on the control thread, which touches no
        // guest memory here.
        queue.refuseKicks();
        kicksRefused = true;
      }
      long left = fill(burst, frames);
      callWanted |= queue.publish();
      return left;
    } catch (GuestFault fault) {
      faulted = true;
      callWanted |= queue.publish(); // what was delivered before
      vring.fail(fault);
      return dropAll(burst, frames & ~burst.taken);
    }
  }

  private long dropAll(Burst burst, long frames) {
    counters.drop(DropReason.NOT_READY, Long.bitCount(frames));
    burst.taken |= frames;
    return 0;
  }

  /**
   * Rounds of: peek as many chains as there are frames, fill them, complete them. A few rounds are
   * enough for any honest driver; one that posts thousands of tiny pieces has no more room today.
   */
  private long fill(Burst burst, long frames) throws GuestFault {
    long left = frames;
    for (int round = 0; left != 0 && round < ROUNDS; round++) {
      chains.clear();
      if (queue.peek(chains, Long.bitCount(left)) == 0) {
        return left;
      }
      long before = left;
      int filled = 0;
      long bytes = 0;
      int delivered = 0;
      while (left != 0 && filled < chains.count()) {
        int i = Long.numberOfTrailingZeros(left);
        int used = fits(burst, i, filled) ? write(burst, i, filled) : writeSlowly(burst, i, filled);
        if (used == NO_ROOM) {
          break;
        }
        if (used > 0) {
          delivered++;
          bytes += burst.length[i];
        }
        filled += used;
        left &= left - 1;
      }
      queue.complete(chains, filled);
      counters.frames += delivered;
      counters.bytes += bytes;
      burst.taken |= before & ~left;
      if (left == before) {
        return left;
      }
    }
    return left;
  }

  private boolean fits(Burst burst, int i, int chain) {
    int segment = chains.firstSegment[chain];
    return burst.segments[i] == 1
        && chains.firstSegment[chain + 1] == segment + 1
        && chains.segmentLength[segment] >= headerLength + burst.length[i];
  }

  /** One segment to one segment. Header and data are written together: they share a cache line. */
  private int write(Burst burst, int i, int chain) {
    long to = chains.segmentAddress[chains.firstSegment[chain]];
    // All fields zero but num_buffers, which is 1 without mergeable buffers too (virtio 1.3,
    // 5.1.6.4.1).
    Memory.putLong(to, 0);
    if (headerLength == NetHeader.LENGTH) {
      Memory.putInt(to + NetHeader.CSUM_OFFSET, 1 << 16);
    } else {
      Memory.putShort(to + NetHeader.CSUM_OFFSET, 0);
    }
    int length = burst.length[i];
    Memory.copy(burst.address[i], to + headerLength, length);
    chains.written[chain] = headerLength + length;
    return 1;
  }

  /**
   * Any segments to any segments, over as many chains as it takes.
   *
   * @return chains used; 0 when the frame was dropped; NO_ROOM when it has to wait for more
   */
  private int writeSlowly(Burst burst, int i, int chain) throws GuestFault {
    long needed = (long) headerLength + burst.length[i];
    long room = 0;
    int used = 0;
    while (room < needed) {
      if (used > 0 && !mergeable) {
        return tooSmall(burst, i);
      }
      if (chain + used == chains.count() && queue.peek(chains, 1) == 0) {
        return noRoom(burst, i, chain);
      }
      room += chains.length[chain + used];
      used++;
    }
    scatter.write(burst, i, chains, chain, used);
    return used;
  }

  /** When even an empty table of chains does not hold the frame, it never will. */
  private int noRoom(Burst burst, int i, int chain) {
    boolean never = chain == 0 && chains.count() == Math.min(queue.size(), Chains.CHAINS);
    return never ? tooSmall(burst, i) : NO_ROOM;
  }

  /** Told at once: if a page vanishes later in this round, the frame must not be dropped twice. */
  private int tooSmall(Burst burst, int i) {
    counters.drop(DropReason.BUFFER_TOO_SMALL, 1);
    burst.taken |= 1L << i;
    return 0;
  }

  @Override
  public synchronized void drop(DropReason reason, long count) {
    counters.drop(reason, count);
  }

  @Override
  public DropReason fullReason() {
    return DropReason.NO_BUFFERS;
  }

  @Override
  public synchronized void flush() {
    if (callWanted) {
      callWanted = false;
      if (vring.call()) {
        counters.notifications++;
      }
    }
  }
}
