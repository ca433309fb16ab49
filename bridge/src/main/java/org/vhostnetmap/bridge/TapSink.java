// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.Tap;

/**
 * Sends into the host stack through a TAP: the kernel copies each frame out of guest memory, we
 * copy none.
 */
final class TapSink implements Sink {
  private static final int IOVEC_BYTES = 16; // { void *iov_base; size_t iov_len; }
  private static final int IOV_MAX = 1024;
  private static final int EAGAIN = 11;
  private static final int EFAULT = 14;

  private final int fd;
  private final QueueCounters counters;
  private final Mapping iovecs;

  TapSink(int fd, QueueCounters counters) throws ErrnoException {
    this.fd = fd;
    this.counters = counters;
    iovecs = Mapping.anonymous((long) IOVEC_BYTES * IOV_MAX);
  }

  @Override
  public synchronized long offer(Burst burst, long frames) {
    for (long left = frames; left != 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      int sent = send(burst, i);
      if (sent == -EAGAIN) {
        return left;
      }
      if (sent == -EFAULT) {
        // A system call reports a vanished page so; everything else of ours reports it by this
        // error.
        throw new InternalError("EFAULT from writev");
      }
      if (sent < 0) {
        counters.drop(DropReason.HOST_REFUSED, 1);
      } else {
        counters.frames++;
        counters.bytes += burst.length[i];
      }
      burst.taken |= 1L << i;
    }
    return 0;
  }

  private int send(Burst burst, int i) {
    int segments = burst.segments[i];
    if (segments == 1) {
      return Tap.write(fd, burst.address[i], burst.length[i]);
    }
    if (segments > IOV_MAX) {
      return -1;
    }
    for (int s = 0; s < segments; s++) {
      long iovec = iovecs.address() + (long) IOVEC_BYTES * s;
      Memory.putLong(iovec, burst.table.segmentAddress[burst.segment[i] + s]);
      Memory.putLong(iovec + 8, burst.table.segmentLength[burst.segment[i] + s]);
    }
    return Tap.writev(fd, iovecs.address(), segments);
  }

  @Override
  public synchronized void drop(DropReason reason, long count) {
    counters.drop(reason, count);
  }

  @Override
  public DropReason fullReason() {
    return DropReason.QUEUE_FULL;
  }

  /** The kernel was told by each write. */
  @Override
  public void flush() {}

  void close() {
    iovecs.close();
  }
}
