// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.NetHeader;
import org.vhostnetmap.vhost.Vring;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * One receiveq of a guest as a sink: virtio 1.3, 5.1.6.4. Puts a virtio-net header before each
 * frame and spreads a frame over several buffers when the driver negotiated VIRTIO_NET_F_MRG_RXBUF.
 * A frame whose sender left work undone goes as it is, with its header, when the driver took that
 * feature; else the work is done here ({@link SoftReceive}). TCP segments of one flow may go as one
 * frame ({@link Coalescer}). What goes one to one is written by this class, in passes; the rest
 * finds its {@link ReceiveRoom}.
 */
final class GuestReceive implements Sink {
  private static final int ROUNDS = 16;
  private static final int LINE = 64; // bytes of a cache line
  private static final int NO_ROOM = ReceiveRoom.NO_ROOM;

  private final Vring vring;
  private final Virtqueue queue;
  private final int headerLength;
  private final QueueCounters counters;
  private final Chains chains = new Chains();
  private final int[] order = new int[Burst.FRAMES];
  private final ReceiveRoom room;
  private final SoftReceive soft;
  private final int takes;
  private final @Nullable Coalescer coalescer;
  private final RingCall call;
  private boolean kicksRefused;
  private boolean faulted;

  /**
   * A sink over a receiveq.
   *
   * @param takes what the driver takes undone, as {@link Offload} has it
   * @param coalesces whether TCP segments may be put together, if it takes that
   */
  GuestReceive(
      Vring vring,
      int headerLength,
      boolean mergeable,
      int takes,
      boolean coalesces,
      QueueCounters counters) {
    this.vring = vring;
    this.takes = takes;
    coalescer = coalesces ? Coalescer.of(takes) : null;
    this.queue = vring.queue();
    this.headerLength = headerLength;
    this.counters = counters;
    call = new RingCall(vring, counters);
    room = new ReceiveRoom(queue, chains, headerLength, mergeable, counters);
    soft = new SoftReceive(queue, chains, room, counters);
  }

  /** Leaves at least so long between two calls; before any worker has the ring. */
  GuestReceive pausing(long nanos) {
    call.pausing(nanos);
    return this;
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
      long groups =
          coalescer == null || (frames & (frames - 1)) == 0 ? 0 : coalescer.look(burst, frames);
      long left = groups == 0 ? fillAny(burst, frames) : fillGroups(burst, frames, groups);
      publish();
      return left;
    } catch (InternalError vanished) {
      // Whoever's page it was: what was delivered before is shown, perhaps for the last time.
      publish();
      throw vanished;
    } catch (GuestFault fault) {
      faulted = true;
      publish(); // what was delivered before
      vring.fail(fault);
      return dropAll(burst, frames & ~burst.taken);
    }
  }

  private void publish() {
    call.published(); // first: a vanished page must not make us forget it
    queue.publish();
  }

  private long dropAll(Burst burst, long frames) {
    counters.drop(DropReason.NOT_READY, Long.bitCount(frames));
    burst.taken |= frames;
    return 0;
  }

  private long fillAny(Burst burst, long frames) throws GuestFault {
    return (frames & burst.offloads) == 0 ? fill(burst, frames) : fillMixed(burst, frames);
  }

  /** Groups of segments, each at the place of its first one, and runs of frames between them. */
  private long fillGroups(Burst burst, long frames, long groups) throws GuestFault {
    long left = frames;
    while (left != 0) {
      long front = Offload.front(left, groups);
      boolean group = (front & groups) != 0;
      front = group ? coalescer().members(Long.numberOfTrailingZeros(front)) : front;
      long rest = group ? fillGroup(burst, front) : fillAny(burst, front);
      left = (left & ~front) | rest;
      if (rest != 0) {
        break;
      }
    }
    return left;
  }

  /** A group as one frame; one by one where that finds no room, so that nothing is lost by it. */
  private long fillGroup(Burst burst, long group) throws GuestFault {
    int first = Long.numberOfTrailingZeros(group);
    return room.writeGroup(burst, coalescer(), first) ? 0 : fill(burst, group);
  }

  private Coalescer coalescer() {
    return Objects.requireNonNull(coalescer);
  }

  /** Runs of frames that go as they are, and between them those that are work for us. */
  private long fillMixed(Burst burst, long frames) throws GuestFault {
    long ours = Offload.beyond(burst, frames, takes);
    long left = frames;
    while (left != 0) {
      long front = Offload.front(left, ours);
      long rest = (front & ours) == 0 ? fill(burst, front) : soft.write(burst, front);
      left = (left & ~front) | rest;
      if (rest != 0) {
        break;
      }
    }
    return left;
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
        int run = beginRun(burst, left, filled);
        if (run > 0) {
          bytes += finishRun(burst, filled, run);
          delivered += run;
          filled += run;
          left &= Burst.from(order[run - 1] + 1);
          continue;
        }
        int i = Long.numberOfTrailingZeros(left);
        int used = room.write(burst, i, filled);
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

  /**
   * The first pass over frames of one segment that go to one segment each: writes their headers and
   * something where they will begin, and so asks for the cache lines of all of them before the
   * first one has come. Guest and back-end run on two processors, and a line takes ten times as
   * long as a copy.
   *
   * @return how many there are of them, the first ones of {@link #order}
   */
  private int beginRun(Burst burst, long frames, int firstChain) {
    long[] segmentAddress = chains.segmentAddress;
    int[] segmentLength = chains.segmentLength;
    if (burst.segments[Long.numberOfTrailingZeros(frames)] != 1 || chains.plain() <= firstChain) {
      return 0; // as often as there are frames of several segments: no list for that
    }
    int most = Math.min(note(frames), chains.plain() - firstChain);
    int n = 0;
    for (; n < most; n++) {
      int i = order[n];
      int segment = firstChain + n;
      if (burst.segments[i] != 1 || segmentLength[segment] < headerLength + burst.length[i]) {
        break;
      }
      long to = segmentAddress[segment];
      putHeader(to, Offload.wire(burst.header[i]), burst.checksumOffset[i]);
      Memory.putLong(to + headerLength, 0); // the frame has more bytes than these
    }
    return n;
  }

  /**
   * Notes the frames of a mask as a list: those of one flow among others have gaps between them.
   */
  private int note(long frames) {
    int n = 0;
    for (long left = frames; left != 0; left &= left - 1) {
      order[n++] = Long.numberOfTrailingZeros(left);
    }
    return n;
  }

  /**
   * All fields are zero where the sender asks for nothing, but num_buffers, which is 1 without
   * mergeable buffers too (virtio 1.3, 5.1.6.4.1). DPDK's driver has the header in a cache line of
   * its own, where the last one still stands: what is there already is not written again, so that
   * both processors keep the line.
   */
  private void putHeader(long to, long fields, int checksumOffset) {
    boolean alone = ((to + headerLength) & (LINE - 1)) == 0;
    if (!alone || Memory.getLong(to) != fields) {
      Memory.putLong(to, fields);
    }
    long rest = to + NetHeader.CSUM_OFFSET;
    if (headerLength == NetHeader.LENGTH) {
      int value = 1 << 16 | checksumOffset;
      if (!alone || Memory.getUnsignedInt(rest) != value) {
        Memory.putInt(rest, value);
      }
    } else if (!alone || Memory.getUnsignedShort(rest) != checksumOffset) {
      Memory.putShort(rest, checksumOffset);
    }
  }

  /**
   * The second pass: the frames themselves.
   *
   * @return bytes in them
   */
  private long finishRun(Burst burst, int firstChain, int count) {
    long[] segmentAddress = chains.segmentAddress;
    int[] written = chains.written;
    long bytes = 0;
    for (int n = 0; n < count; n++) {
      int i = order[n];
      int length = burst.length[i];
      Memory.copy(burst.address[i], segmentAddress[firstChain + n] + headerLength, length);
      written[firstChain + n] = headerLength + length;
      bytes += length;
    }
    return bytes;
  }

  @Override
  public synchronized void drop(DropReason reason, Burst burst, long frames) {
    counters.drop(reason, Long.bitCount(frames));
    soft.forget(reason, burst, frames);
  }

  @Override
  public void forget(DropReason reason, Burst burst, long frames) {
    if (soft.hasBegun()) {
      forgetUnderLock(reason, burst, frames);
    }
  }

  private synchronized void forgetUnderLock(DropReason reason, Burst burst, long frames) {
    soft.forget(reason, burst, frames);
  }

  @Override
  public DropReason fullReason() {
    return DropReason.NO_BUFFERS;
  }

  /** The first look is without the lock; see {@link RingCall#isOpen}. */
  @Override
  public long flush() {
    return call.isOpen() ? callUnderLock() : NOTHING_HELD;
  }

  private synchronized long callUnderLock() {
    return call.call();
  }

  /** See {@link RingCall#callAtLast}. */
  synchronized void callAtLast() {
    call.callAtLast();
  }
}
