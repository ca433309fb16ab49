// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * Does for a driver what it does not take undone: completes a checksum, or cuts a frame, straight
 * into its buffers. What finds no room waits, and is gone on with when the frame is offered again:
 * a driver that posts eight buffers in all (iPXE) would never have room for the 45 pieces of a
 * whole one. Under the sink's lock.
 */
final class SoftReceive {
  private final Virtqueue queue;
  private final Chains chains;
  private final ReceiveRoom room;
  private final QueueCounters counters;
  private final SoftwareOffload offload = new SoftwareOffload();
  private final BegunFrame begun = new BegunFrame();

  SoftReceive(Virtqueue queue, Chains chains, ReceiveRoom room, QueueCounters counters) {
    this.queue = queue;
    this.chains = chains;
    this.room = room;
    this.counters = counters;
  }

  /**
   * Delivers one frame, or as many pieces of it as there is room for.
   *
   * @param frame a mask of one frame
   * @return the same when it, or a part of it, has to wait for room, else 0
   */
  long write(Burst burst, long frame) throws GuestFault {
    int i = Long.numberOfTrailingZeros(frame);
    DropReason wrong = offload.begin(burst, i, Burst.LONGEST_FRAME);
    if (wrong != null) {
      return room.refuse(burst, i, wrong);
    }
    int pieces = offload.frames();
    int place = begun.find(offload, burst.length[i]);
    int done = begun.pieces(place);
    for (int piece = 0; piece < done; piece++) {
      offload.skip();
    }
    chains.clear();
    int used = 0;
    int fitting = done;
    int more = 0;
    while (fitting < pieces) {
      more = room.chainsFor(used, fitting == pieces - 1 ? offload.last() : offload.longest());
      if (more <= 0) {
        break;
      }
      used += more;
      fitting++;
    }
    if (fitting == done) {
      if (room.unfit(burst, i, 0, more) == ReceiveRoom.NO_ROOM) {
        return frame;
      }
      begun.forget(place);
      return 0;
    }
    for (int chain = 0; chain < used; ) {
      int length = offload.nextLength();
      int count = room.chainsFor(chain, length); // the same as before
      offload.next(room.open(chain, count, length));
      chain += count;
    }
    queue.complete(chains, used);
    counters.segments += offload.isCut() ? fitting - done : 0;
    if (fitting < pieces) {
      begun.keep(place, offload, burst.length[i], fitting);
      burst.progressed = true;
      return frame;
    }
    begun.forget(place);
    counters.frames++;
    counters.bytes += burst.length[i];
    burst.taken |= frame;
    return 0;
  }

  /** Whether a part of some frame is with the driver. Also without the lock, see there. */
  boolean hasBegun() {
    return !begun.isEmpty();
  }

  /** These frames were dropped: who sends one of them again sends it from the beginning. */
  void forget(DropReason why, Burst burst, long frames) {
    if (begun.isEmpty()) {
      return;
    }
    if (why == DropReason.MEMORY_VANISHED) {
      begun.forgetAll(); // their headers can't be read; at worst another one begins anew
      return;
    }
    try {
      forgetByHeaders(burst, frames & burst.offloads);
    } catch (InternalError vanished) {
      begun.forgetAll(); // likewise; the frames have had their fate and must not get another
    }
  }

  private void forgetByHeaders(Burst burst, long frames) {
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      int length = burst.length[i];
      if (begun.mayHold(length) && offload.begin(burst, i, Burst.LONGEST_FRAME) == null) {
        begun.forget(begun.find(offload, length));
      }
    }
  }
}
