// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * The room in a receiveq for frames of any shape: over as many chains as it takes, out of and into
 * any segments, several frames as one. What goes one to one is {@link GuestReceive}'s own. Works on
 * the chains that the sink has peeked and peeks more as it needs them; under the sink's lock.
 */
final class ReceiveRoom {
  /** The frame has to wait for more chains. */
  static final int NO_ROOM = -1;

  private static final int TOO_SMALL = -2;

  private final Virtqueue queue;
  private final Chains chains;
  private final int headerLength;
  private final boolean mergeable;
  private final QueueCounters counters;
  private final FrameScatter scatter;

  ReceiveRoom(
      Virtqueue queue, Chains chains, int headerLength, boolean mergeable, QueueCounters counters) {
    this.queue = queue;
    this.chains = chains;
    this.headerLength = headerLength;
    this.mergeable = mergeable;
    this.counters = counters;
    scatter = new FrameScatter(headerLength);
  }

  /**
   * Any segments to any segments, over as many chains as it takes.
   *
   * @return chains used; 0 when the frame was dropped; NO_ROOM when it has to wait for more
   */
  int write(Burst burst, int i, int chain) throws GuestFault {
    int used = chainsFor(chain, burst.length[i]);
    if (used <= 0) {
      return unfit(burst, i, chain, used);
    }
    scatter.write(burst, i, chains, chain, used);
    return used;
  }

  /** Puts a group in as one frame; false where that finds no room. */
  boolean writeGroup(Burst burst, Coalescer coalescer, int first) throws GuestFault {
    long group = coalescer.members(first);
    int length = coalescer.length(first);
    chains.clear();
    queue.peek(chains, mergeable ? Long.bitCount(group) : 1);
    int used = chains.count() == 0 ? NO_ROOM : chainsFor(0, length);
    if (used <= 0) {
      return false;
    }
    long header = coalescer.header(first);
    coalescer.write(
        burst, first, scatter.open(chains, 0, used, length, header, Coalescer.CHECKSUM_OFFSET));
    queue.complete(chains, used);
    counters.frames += Long.bitCount(group);
    counters.bytes += burst.bytes(group);
    counters.coalesced += Long.bitCount(group);
    burst.taken |= group;
    return true;
  }

  /** How many chains from one on hold a frame so long; if none do, why, for {@link #unfit}. */
  int chainsFor(int chain, int frameLength) throws GuestFault {
    long needed = (long) headerLength + frameLength;
    long room = 0;
    int used = 0;
    while (room < needed) {
      if (used > 0 && !mergeable) {
        return TOO_SMALL;
      }
      if (chain + used == chains.count() && queue.peek(chains, 1) == 0) {
        return NO_ROOM;
      }
      room += chains.length[chain + used];
      used++;
    }
    return used;
  }

  /** Writes the header of a frame that asks for nothing; the room for the frame behind it. */
  Pieces open(int chain, int count, int frameLength) {
    return scatter.open(chains, chain, count, frameLength, 0, 0);
  }

  /**
   * When even an empty table of chains does not hold the frame, it never will.
   *
   * @return NO_ROOM when it has to wait, 0 when it was dropped
   */
  int unfit(Burst burst, int i, int chain, int why) {
    boolean never = chain == 0 && chains.count() == Math.min(queue.size(), Chains.CHAINS);
    return never || why == TOO_SMALL ? refuse(burst, i, DropReason.BUFFER_TOO_SMALL) : NO_ROOM;
  }

  /** Told at once: if a page vanishes later in this round, the frame must not be dropped twice. */
  int refuse(Burst burst, int i, DropReason why) {
    counters.drop(why, 1);
    burst.taken |= 1L << i;
    return 0;
  }
}
