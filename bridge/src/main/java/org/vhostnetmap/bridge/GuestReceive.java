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
 * feature; else the work is done here. TCP segments of one flow may go as one frame ({@link
 * Coalescer}).
 */
final class GuestReceive implements Sink {
  private static final int ROUNDS = 16;
  private static final int LINE = 64; // bytes of a cache line
  private static final int NO_ROOM = -1;
  private static final int TOO_SMALL = -2;

  private final Vring vring;
  private final Virtqueue queue;
  private final int headerLength;
  private final boolean mergeable;
  private final QueueCounters counters;
  private final Chains chains = new Chains();
  private final int[] order = new int[Burst.FRAMES];
  private final FrameScatter scatter;
  private final int takes;
  private final @Nullable Coalescer coalescer;
  private final SoftwareOffload offload = new SoftwareOffload();
  private final BegunFrame begun = new BegunFrame();
  private boolean kicksRefused;
  private CallPause pause = new CallPause(0);
  private boolean unasked; // published, but whether the driver wants to be called is not known
  private boolean callWanted;
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
    this.mergeable = mergeable;
    this.counters = counters;
    this.scatter = new FrameScatter(headerLength);
  }

  /** Leaves at least so long between two calls; before any worker has the ring. */
  GuestReceive pausing(long nanos) {
    pause = new CallPause(nanos);
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
    queue.publish();
    unasked = true;
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
    Coalescer coalescer = coalescer();
    int first = Long.numberOfTrailingZeros(group);
    int length = coalescer.length(first);
    chains.clear();
    queue.peek(chains, mergeable ? Long.bitCount(group) : 1);
    int used = chains.count() == 0 ? NO_ROOM : chainsFor(0, (long) headerLength + length);
    if (used <= 0) {
      return fill(burst, group);
    }
    long header = coalescer.header(first);
    coalescer.write(
        burst, first, scatter.open(chains, 0, used, length, header, Coalescer.CHECKSUM_OFFSET));
    queue.complete(chains, used);
    counters.frames += Long.bitCount(group);
    counters.bytes += burst.bytes(group);
    counters.coalesced += Long.bitCount(group);
    burst.taken |= group;
    return 0;
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
      long rest = (front & ours) == 0 ? fill(burst, front) : soften(burst, front);
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
        int used = writeSlowly(burst, i, filled);
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

  /**
   * Any segments to any segments, over as many chains as it takes.
   *
   * @return chains used; 0 when the frame was dropped; NO_ROOM when it has to wait for more
   */
  private int writeSlowly(Burst burst, int i, int chain) throws GuestFault {
    int used = chainsFor(chain, (long) headerLength + burst.length[i]);
    if (used <= 0) {
      return unfit(burst, i, chain, used);
    }
    scatter.write(burst, i, chains, chain, used);
    return used;
  }

  /** How many chains from one on hold so many bytes; or NO_ROOM, or TOO_SMALL. */
  private int chainsFor(int chain, long needed) throws GuestFault {
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

  /** When even an empty table of chains does not hold the frame, it never will. */
  private int unfit(Burst burst, int i, int chain, int why) {
    boolean never = chain == 0 && chains.count() == Math.min(queue.size(), Chains.CHAINS);
    return never || why == TOO_SMALL ? refuse(burst, i, DropReason.BUFFER_TOO_SMALL) : NO_ROOM;
  }

  /**
   * Does for the driver what it does not take: completes the checksum, or cuts the frame. What
   * finds no room waits, and is gone on with when the frame is offered again: a driver that posts
   * eight buffers in all (iPXE) would never have room for the 45 pieces of a whole one.
   *
   * @param frame a mask of one frame
   * @return the same when it, or a part of it, has to wait for room, else 0
   */
  private long soften(Burst burst, long frame) throws GuestFault {
    int i = Long.numberOfTrailingZeros(frame);
    DropReason wrong = offload.begin(burst, i, Burst.LONGEST_FRAME);
    if (wrong != null) {
      return refuse(burst, i, wrong);
    }
    int pieces = offload.frames();
    int done = begun.pieces(offload, burst.length[i]);
    for (int piece = 0; piece < done; piece++) {
      offload.skip();
    }
    chains.clear();
    int used = 0;
    int fitting = done;
    int more = 0;
    while (fitting < pieces) {
      int length = fitting == pieces - 1 ? offload.last() : offload.longest();
      more = chainsFor(used, (long) headerLength + length);
      if (more <= 0) {
        break;
      }
      used += more;
      fitting++;
    }
    if (fitting == done) {
      return unfit(burst, i, 0, more) == NO_ROOM ? frame : 0;
    }
    for (int chain = 0; chain < used; ) {
      int length = offload.nextLength();
      int count = chainsFor(chain, (long) headerLength + length); // the same as before
      offload.next(scatter.open(chains, chain, count, length, 0, 0));
      chain += count;
    }
    queue.complete(chains, used);
    counters.segments += offload.isCut() ? fitting - done : 0;
    if (fitting < pieces) {
      begun.keep(offload, burst.length[i], fitting);
      burst.progressed = true;
      return frame;
    }
    begun.forget();
    counters.frames++;
    counters.bytes += burst.length[i];
    burst.taken |= frame;
    return 0;
  }

  /** Told at once: if a page vanishes later in this round, the frame must not be dropped twice. */
  private int refuse(Burst burst, int i, DropReason why) {
    begun.forget();
    counters.drop(why, 1);
    burst.taken |= 1L << i;
    return 0;
  }

  @Override
  public synchronized void drop(DropReason reason, long count) {
    counters.drop(reason, count);
    begun.forget();
  }

  @Override
  public DropReason fullReason() {
    return DropReason.NO_BUFFERS;
  }

  /**
   * The first look is without the lock: whoever published in this round sees it here, or sees that
   * somebody asked the driver after it was published.
   */
  @Override
  public long flush() {
    return unasked || callWanted ? callUnderLock() : NOTHING_HELD;
  }

  private synchronized long callUnderLock() {
    if (!isCallWanted()) {
      return NOTHING_HELD;
    }
    long again = pause.ask();
    if (again == NOTHING_HELD) {
      call();
    }
    return again;
  }

  private boolean isCallWanted() {
    if (unasked) {
      unasked = false;
      callWanted |= queue.wantsCall();
    }
    return callWanted;
  }

  /**
   * Control thread: no worker has the ring any more. Where the driver was not asked it is called
   * all the same, since this thread reads nothing of guests.
   */
  synchronized void callAtLast() {
    if (unasked || callWanted) {
      call();
    }
  }

  private void call() {
    unasked = false;
    callWanted = false;
    if (vring.call()) {
      counters.notifications++;
    }
  }
}
