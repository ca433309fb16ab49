// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.Tap;
import org.vhostnetmap.vhost.NetHeader;

/**
 * What the host stack sends into a TAP. A read can't be undone, so frames that were read wait here
 * until advance.
 */
final class TapSource implements Source {
  private static final int SLOT_BYTES =
      1 << 17; // LONGEST_FRAME and more; pages never touched cost nothing
  private static final int EAGAIN = 11;
  private static final int EIO = 5; // the interface is down: it may come up again

  private final int fd;
  private final QueueCounters counters;
  private final OffloadCapture capture;
  private final Mapping slots;
  private final int[] lengths = new int[Burst.FRAMES];
  private int first; // slot of the first frame that waits
  private int waiting;
  private volatile int error;

  /**
   * A source over a TAP with headers.
   *
   * @param leaves what the host leaves undone, as {@link Offload} has it
   */
  TapSource(int fd, int leaves, QueueCounters counters) throws ErrnoException {
    this.fd = fd;
    this.capture = new OffloadCapture(leaves);
    this.counters = counters;
    slots = Mapping.anonymous((long) SLOT_BYTES * Burst.FRAMES);
  }

  @Override
  public void peek(Burst burst) {
    while (waiting < Burst.FRAMES) {
      int slot = slot(waiting);
      int length = Tap.read(fd, address(slot), SLOT_BYTES);
      if (length < 0) {
        error = length == -EAGAIN || length == -EIO ? 0 : -length;
        break;
      }
      lengths[slot] = length;
      waiting++;
    }
    for (int i = 0; i < waiting; i++) {
      lend(burst, i, address(slot(i)), lengths[slot(i)] - Tap.HEADER_BYTES);
    }
  }

  private void lend(Burst burst, int i, long header, int length) {
    burst.append(header + Tap.HEADER_BYTES, length);
    if (length < Burst.SHORTEST_FRAME || length > Burst.LONGEST_FRAME) {
      burst.valid &= ~(1L << i);
      burst.refuse(i, length > Burst.LONGEST_FRAME ? DropReason.TOO_LONG : DropReason.TOO_SHORT);
      return;
    }
    long fields = Memory.getLong(header);
    if ((fields & Offload.ASKS) != 0) {
      capture.take(burst, i, fields, Memory.getUnsignedShort(header + NetHeader.CSUM_OFFSET));
    }
  }

  private int slot(int distance) {
    return (first + distance) % Burst.FRAMES;
  }

  private long address(int slot) {
    return slots.address() + (long) SLOT_BYTES * slot;
  }

  @Override
  public void count(Burst burst, int count) {
    counters.count(burst, count);
  }

  @Override
  public void advance(Burst burst, int count) {
    first = slot(count);
    waiting -= count;
  }

  @Override
  public int readyFd() {
    return fd;
  }

  /** The read that found nothing came after the last edge, so the next frame makes a new one. */
  @Override
  public long rest() {
    return waiting > 0 ? 0 : UNTIL_READY;
  }

  @Override
  public void wake() {}

  /** The error number that says the interface is gone, or 0. Any thread. */
  int error() {
    return error;
  }

  void close() {
    slots.close();
  }
}
