// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.Tap;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * One host RX ring: what the host transmits, read from one queue of a TAP straight into the ring's
 * buffers. Borrows the queue.
 */
final class HostReceiver implements AutoCloseable {
  private static final int IOVEC_BYTES = 16; // { void *iov_base; size_t iov_len; }
  private static final int LONGEST = 1 << 16;

  private final int fd;

  /** Two iovecs, then room for what of a frame does not fit its buffer. */
  private final Mapping memory;

  HostReceiver(int fd) throws ErrnoException {
    this.fd = fd;
    memory = Mapping.anonymous(4096 + LONGEST);
    Memory.putLong(memory.address() + IOVEC_BYTES, memory.address() + 4096);
    Memory.putLong(memory.address() + IOVEC_BYTES + 8, LONGEST);
    while (read(memory.address() + 4096, LONGEST) > 0) {
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
    int room = kring.room();
    int usable = kring.usableBytes();
    while (room > 0) {
      int slot = kring.hwtail;
      long data = kring.data(slot);
      if (data == 0) {
        // An empty frame takes the broken slot's turn.
        kring.drop(DropReason.NO_BUFFER, 1);
        kring.setSlot(slot, 0, 0);
      } else {
        int length = read(data, usable);
        if (length < 0) {
          return;
        }
        if (length > usable) {
          kring.drop(DropReason.TOO_LONG, 1);
          continue;
        }
        kring.setSlot(slot, length, 0);
      }
      kring.hwtail = kring.next(slot);
      room--;
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
