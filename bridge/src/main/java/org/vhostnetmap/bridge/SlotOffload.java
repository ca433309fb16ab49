// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingSync;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.vhost.NetHeader;

/**
 * Puts into a netmap ring what needs more than a copy: frames whose sender left work to be done,
 * and all frames of a VALE port with virtio-net headers. Guarded by its sink's lock.
 */
final class SlotOffload {
  /** What goes with its header: netmap's own VALE knows no UDP_L4. */
  private static final int HANDED_ON = Offload.CSUM | Offload.TSO4 | Offload.TSO6 | Offload.ECN;

  private final NetmapRing ring;
  private final RingSync sync;
  private final QueueCounters counters;
  private final int longest; // slots of a frame
  private final int headerBytes;
  private final SoftwareOffload offload = new SoftwareOffload();
  private final Pieces frame = new Pieces(64);
  private final Pieces place = new Pieces(64);

  /**
   * Into a ring.
   *
   * @param longest slots that whoever drains the ring takes for one frame
   * @param headerBytes of the virtio-net header that goes before each frame, or 0 for none
   */
  SlotOffload(
      NetmapRing ring, RingSync sync, QueueCounters counters, int longest, int headerBytes) {
    this.ring = ring;
    this.sync = sync;
    this.counters = counters;
    this.longest = longest;
    this.headerBytes = headerBytes;
  }

  /** Of the frames under offer, those that are work for us. */
  long special(Burst burst) {
    return headerBytes > 0 ? -1 : burst.offloads;
  }

  /**
   * Writes one frame. All that comes out of it finds room, or nothing is written.
   *
   * @param mask the frame
   * @return the same when it has to wait for room, else 0
   */
  long write(Burst burst, long mask) {
    int taken = headerBytes > 0 ? HANDED_ON : 0;
    boolean whole = headerBytes > 0 && Offload.beyond(burst, mask, taken) == 0;
    return whole ? handOn(burst, mask) : soften(burst, mask);
  }

  private long handOn(Burst burst, long mask) {
    int i = Long.numberOfTrailingZeros(mask);
    int length = burst.length[i];
    int slots = slotsFor(length);
    if (slots > longest) {
      return refuse(burst, mask, DropReason.TOO_LONG);
    }
    if (!hasRoom(slots)) {
      return mask;
    }
    int slot = ring.head();
    long header = Offload.wire(burst.header[i]);
    if (!open(slot, slots, length, header, burst.checksumOffset[i])) {
      return refuse(burst, mask, DropReason.HOST_REFUSED);
    }
    burst.lend(i, frame);
    frame.copy(place, length);
    return done(burst, mask, ring.after(slot, slots), 0);
  }

  private long soften(Burst burst, long mask) {
    int i = Long.numberOfTrailingZeros(mask);
    long most = (long) longest * ring.bufferBytes() - headerBytes;
    DropReason wrong = offload.begin(burst, i, (int) Math.min(most, Burst.LONGEST_FRAME));
    if (wrong != null) {
      return refuse(burst, mask, wrong);
    }
    int pieces = offload.frames();
    long needed = (pieces - 1L) * slotsFor(offload.longest()) + slotsFor(offload.last());
    if (needed > ring.slots() - 1) {
      return refuse(burst, mask, DropReason.TOO_LONG);
    }
    if (!hasRoom(needed)) {
      return mask;
    }
    int slot = ring.head();
    for (int piece = 0; piece < pieces; piece++) {
      int length = offload.nextLength();
      int slots = slotsFor(length);
      if (!open(slot, slots, length, 0, 0)) {
        return refuse(burst, mask, DropReason.HOST_REFUSED);
      }
      offload.next(place);
      slot = ring.after(slot, slots);
    }
    return done(burst, mask, slot, offload.isCut() ? pieces : 0);
  }

  private boolean hasRoom(long slots) {
    if (slots > ring.space()) {
      sync.sync(); // in a small ring the half that a sink is content with may be too little
    }
    return slots <= ring.space();
  }

  private int slotsFor(int length) {
    int bytes = headerBytes + length;
    int bufferBytes = ring.bufferBytes();
    return bytes <= bufferBytes ? 1 : (bytes + bufferBytes - 1) / bufferBytes;
  }

  /**
   * Makes the buffers of so many slots the place of a frame, behind its header; false when one
   * names no buffer.
   */
  private boolean open(int firstSlot, int slots, int length, long header, int checksumOffset) {
    place.clear();
    int slot = firstSlot;
    int left = headerBytes + length;
    for (int n = 1; n <= slots; n++) {
      int part = Math.min(left, ring.bufferBytes());
      long buffer = ring.buffer(slot);
      if (buffer == 0) {
        return false;
      }
      int before = n == 1 ? headerBytes : 0;
      if (before > 0) {
        Memory.putLong(buffer, header);
        Memory.putInt(buffer + NetHeader.CSUM_OFFSET, checksumOffset); // num_buffers is 0 here
      }
      place.add(buffer + before, part - before);
      ring.set(slot, part, n < slots ? NetmapAbi.NS_MOREFRAG : 0);
      left -= part;
      slot = ring.after(slot, 1);
    }
    return true;
  }

  private long done(Burst burst, long mask, int nextSlot, int segments) {
    ring.advanceTo(nextSlot);
    counters.frames++;
    counters.bytes += burst.length[Long.numberOfTrailingZeros(mask)];
    counters.segments += segments;
    burst.taken |= mask;
    return 0;
  }

  private long refuse(Burst burst, long mask, DropReason why) {
    counters.drop(why, 1);
    burst.taken |= mask;
    return 0;
  }
}
