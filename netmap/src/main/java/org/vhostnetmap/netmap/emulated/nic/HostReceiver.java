// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.Tap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * One host RX ring: what the host transmits, read from one queue of a TAP straight into the ring's
 * buffers. Frames longer than a buffer become chains (NS_MOREFRAG). Borrows the queue.
 */
final class HostReceiver implements AutoCloseable {
  private static final int IOVEC_BYTES = 16; // { void *iov_base; size_t iov_len; }
  private static final int LONGEST = 1 << 16;

  private final int fd;

  /** Two iovecs, then room for what of a frame does not fit its buffer. */
  private final Mapping memory;

  private final long rest;

  private final Runnable failed;

  /** Borrows a queue's descriptor; {@code failed} is told when the TAP is of no use any more. */
  HostReceiver(int fd, Runnable failed) throws ErrnoException {
    this.fd = fd;
    this.failed = failed;
    memory = Mapping.anonymous(4096 + LONGEST);
    rest = memory.address() + 4096;
    Memory.putLong(memory.address() + IOVEC_BYTES, rest);
    Memory.putLong(memory.address() + IOVEC_BYTES + 8, LONGEST);
    while (read(rest, LONGEST) > 0) {
      // Frames from before somebody wanted them.
    }
  }

  int fd() {
    return fd;
  }

  private int read(long address, int length) {
    Memory.putLong(memory.address(), address);
    Memory.putLong(memory.address() + 8, length);
    return Tap.readv(fd, memory.address(), 2);
  }

  /** As {@code Adapter.rxSync}. */
  void sync(Kring kring) {
    kring.hwcur = kring.rhead;
    int usable = kring.usableBytes();
    while (kring.room() > 0) {
      int slot = kring.hwtail;
      long data = kring.data(slot);
      if (data == 0) {
        // An empty frame takes the broken slot's turn.
        kring.drop(DropReason.NO_BUFFER, 1);
        kring.setSlot(slot, 0, 0);
        kring.hwtail = kring.next(slot);
        continue;
      }
      int length = read(data, usable);
      if (length < 0) {
        if (length != -Errno.EAGAIN && length != -Errno.EINTR) {
          failed.run();
        }
        return;
      }
      if (length <= usable) {
        kring.setSlot(slot, length, 0);
        kring.hwtail = kring.next(slot);
      } else {
        chain(kring, length, usable);
      }
    }
  }

  /** The first slot has its part; the rest goes into the slots after it, if there are enough. */
  private void chain(Kring kring, int length, int usable) {
    int slots = (length + usable - 1) / usable;
    if (slots > kring.room() || !haveBuffers(kring, slots)) {
      kring.drop(DropReason.RING_FULL, 1);
      return;
    }
    int slot = kring.hwtail;
    kring.setSlot(slot, usable, NetmapAbi.NS_MOREFRAG);
    for (int at = usable; at < length; at += usable) {
      slot = kring.next(slot);
      int part = Math.min(usable, length - at);
      Memory.copy(rest + at - usable, kring.data(slot), part);
      kring.setSlot(slot, part, at + part < length ? NetmapAbi.NS_MOREFRAG : 0);
    }
    kring.hwtail = kring.next(slot);
  }

  private static boolean haveBuffers(Kring kring, int slots) {
    int slot = kring.hwtail;
    for (int i = 0; i < slots; i++) {
      if (kring.data(slot) == 0) {
        return false;
      }
      slot = kring.next(slot);
    }
    return true;
  }

  @Override
  public void close() {
    memory.close();
  }
}
