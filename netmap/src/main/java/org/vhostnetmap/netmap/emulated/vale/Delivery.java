// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;

/**
 * Copies those frames of one batch that are for one ring. Frames that need no change go slot by
 * slot, all others through a {@link Converter}. A frame goes whole or not at all.
 */
final class Delivery {
  /** Ends a list of frames: after every frame's number. */
  static final int END = Integer.MAX_VALUE;

  private final long[] addresses;
  private final int[] lengths;
  private final int[] first;
  private final int[] next;
  private final int usableBytes;
  private final Batch.Drops drops;
  private final Converter converter = new Converter();

  private int slot;
  private int room;

  /**
   * Works on a batch's own arrays.
   *
   * @param usableBytes no piece is longer than this
   */
  Delivery(
      long[] addresses,
      int[] lengths,
      int[] first,
      int[] next,
      int usableBytes,
      Batch.Drops drops) {
    this.addresses = addresses;
    this.lengths = lengths;
    this.first = first;
    this.next = next;
    this.usableBytes = usableBytes;
    this.drops = drops;
  }

  /**
   * Delivers two lists of frames in the order of their numbers.
   *
   * @param unicast first frame of the list of those that are for this port alone, or END
   * @param flooded first frame of the list of those that are for all, or END
   * @param header bytes of the sender's virtio-net header
   * @param wanted slots that all of them may need
   * @return whether the receiver has news
   */
  boolean deliver(Outlet outlet, int unicast, int flooded, int header, int wanted) {
    int a = unicast;
    int b = flooded;
    synchronized (outlet.lock()) {
      if (!outlet.isOpen()) {
        // What is flooded to somebody who isn't there is nobody's loss.
        drops.drop(DropReason.NO_WAY, count(a));
        return false;
      }
      boolean convert =
          outlet.port().headerLength() != header || outlet.usableBytes() < usableBytes;
      room = outlet.begin(wanted);
      slot = outlet.first();
      int start = slot;
      while (a != END || b != END) {
        int frame = Math.min(a, b);
        boolean fits = convert ? converted(outlet, frame, header) : copied(outlet, frame, header);
        if (!fits) {
          // A shorter frame behind it might find room, and would overtake it.
          outlet.drop(DropReason.RING_FULL, count(a) + count(b));
          break;
        }
        if (frame == a) {
          a = next[a];
        } else {
          b = next[b];
        }
      }
      if (slot == start) {
        return false;
      }
      outlet.commit(slot);
    }
    return true;
  }

  private boolean copied(Outlet outlet, int frame, int header) {
    int piece = first[frame];
    int end = first[frame + 1];
    if (end - piece > room) {
      return false;
    }
    if (end - piece > outlet.longestChain()) {
      return converted(outlet, frame, header);
    }
    int fragments = fragments(end - piece);
    room -= end - piece;
    while (piece < end) {
      long to = outlet.data(slot);
      int length = to == 0 ? 0 : lengths[piece];
      Memory.copy(addresses[piece], to, length);
      piece++;
      outlet.set(slot, length, piece < end ? fragments | NetmapAbi.NS_MOREFRAG : fragments);
      slot = outlet.next(slot);
    }
    return true;
  }

  private boolean converted(Outlet outlet, int frame, int header) {
    converter.clear();
    for (int piece = first[frame]; piece < first[frame + 1]; piece++) {
      converter.add(addresses[piece], lengths[piece]);
    }
    int needed = converter.begin(outlet, header);
    if (needed < 0) {
      drops.drop(converter.fault(), 1);
      return true;
    }
    if (needed > room) {
      return false;
    }
    room -= needed;
    slot = converter.write(outlet, slot);
    return true;
  }

  /** The high byte of a slot's flags: how many slots the frame has. */
  static int fragments(int slots) {
    return Math.min(slots, 0xff) << 8;
  }

  private long count(int frame) {
    long count = 0;
    for (int at = frame; at != END; at = next[at]) {
      count++;
    }
    return count;
  }
}
