// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.Tap;
import org.vhostnetmap.vhost.NetHeader;

/**
 * Sends into the host stack through a TAP: the kernel copies each frame out of guest memory, we
 * copy none.
 */
final class TapSink implements Sink {
  private static final int IOVEC_BYTES = 16; // { void *iov_base; size_t iov_len; }
  private static final int IOV_MAX = 1024;
  private static final int HEADER_ROOM = 64;
  private static final int EAGAIN = 11;
  private static final int EFAULT = 14;

  private final int fd;
  private final QueueCounters counters;
  private final int takes;
  private final Mapping memory;
  private final long header; // one virtio-net header, before each frame
  private final long segment; // room for one frame that is made here
  private final SoftwareOffload offload = new SoftwareOffload();
  private @Nullable DropReason wrong; // with the frame at hand

  /**
   * A sink over a TAP with headers.
   *
   * @param takes what the host takes undone, as {@link Offload} has it
   */
  TapSink(int fd, int takes, QueueCounters counters) throws ErrnoException {
    this.fd = fd;
    this.takes = takes;
    this.counters = counters;
    long iovecBytes = (long) IOVEC_BYTES * IOV_MAX;
    memory = Mapping.anonymous(iovecBytes + HEADER_ROOM + Burst.LONGEST_FRAME);
    header = memory.address() + iovecBytes;
    segment = header + HEADER_ROOM;
  }

  @Override
  public synchronized long offer(Burst burst, long frames) {
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      wrong = null;
      boolean ours = Offload.beyond(burst, 1L << i, takes) != 0;
      int sent = ours ? soften(burst, i) : send(burst, i);
      if (sent == -EAGAIN) {
        return left;
      }
      if (sent == -EFAULT) {
        // A system call reports a vanished page so; everything else of ours reports it by this
        // error.
        throw new InternalError("EFAULT from writev");
      }
      if (sent < 0) {
        counters.drop(wrong == null ? DropReason.HOST_REFUSED : wrong, 1);
      } else {
        counters.frames++;
        counters.bytes += burst.length[i];
      }
      burst.taken |= 1L << i;
    }
    return 0;
  }

  /** Hands a frame to the host with what its sender left undone. */
  private int send(Burst burst, int i) {
    int segments = burst.segments[i];
    if (segments >= IOV_MAX) {
      return -1;
    }
    putHeader(Offload.wire(burst.header[i]), burst.checksumOffset[i]);
    for (int s = 0; s < segments; s++) {
      int at = burst.segment[i] + s;
      putPiece(1 + s, burst.table.segmentAddress[at], burst.table.segmentLength[at]);
    }
    return Tap.writev(fd, memory.address(), 1 + segments);
  }

  /** Does what the host does not take, at the price of one more copy. */
  private int soften(Burst burst, int i) {
    wrong = offload.begin(burst, i, Burst.LONGEST_FRAME);
    if (wrong != null) {
      return -1;
    }
    putHeader(0, 0);
    int pieces = offload.frames();
    for (int piece = 0; piece < pieces; piece++) {
      putPiece(1, segment, offload.next(segment));
      int sent = Tap.writev(fd, memory.address(), 2);
      if (sent < 0) {
        // What is gone can't be had back: the frame waits for room before its first piece only,
        // and is dropped when the host takes some of it.
        counters.segments += piece;
        return piece == 0 || sent == -EFAULT ? sent : -1;
      }
    }
    counters.segments += offload.isCut() ? pieces : 0;
    return 0;
  }

  private void putHeader(long fields, int checksumOffset) {
    Memory.putLong(header, fields);
    Memory.putShort(header + NetHeader.CSUM_OFFSET, checksumOffset);
    putPiece(0, header, Tap.HEADER_BYTES);
  }

  private void putPiece(int index, long address, int length) {
    long iovec = memory.address() + (long) IOVEC_BYTES * index;
    Memory.putLong(iovec, address);
    Memory.putLong(iovec + 8, length);
  }

  @Override
  public synchronized void drop(DropReason reason, Burst burst, long frames) {
    counters.drop(reason, Long.bitCount(frames));
  }

  @Override
  public DropReason fullReason() {
    return DropReason.QUEUE_FULL;
  }

  /** The kernel was told by each write. */
  @Override
  public long flush() {
    return NOTHING_HELD;
  }

  void close() {
    memory.close();
  }
}
