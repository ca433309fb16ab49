// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.linux.PacketSocket;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * Frames towards the host's stack, which receives them as if they had come by the NIC: they are
 * sent on the NIC with a mark, and a {@link NicHook} at its egress turns them round. One thread at
 * a time.
 */
final class HostSender implements AutoCloseable {
  private static final int MESSAGES = 64;
  private static final int BUFFER_BYTES = 4 << 20;
  private static final int SHORTEST = 14;

  private final PacketSocket socket;
  private final PacketBatch batch;
  private volatile long onlyTo;
  private int waiting;
  private long refused;
  private boolean gone;

  HostSender(NetDevice nic) throws ErrnoException {
    batch = PacketBatch.toSend(MESSAGES, 1);
    try {
      socket = PacketSocket.markedSender(nic, NicHook.MARK, BUFFER_BYTES);
    } catch (ErrnoException e) {
      batch.close();
      throw e;
    }
    for (int i = 0; i < MESSAGES; i++) {
      batch.pieces(i, 1);
    }
  }

  /**
   * Leaves frames for other stations than {@code mac} out, as the stack would: the turn does not
   * tell it whom they are for. 0: leaves none out. Any thread.
   */
  void onlyTo(long mac) {
    onlyTo = mac;
  }

  /** As {@code Adapter.txSync}: all up to rhead goes, or is dropped, at once. */
  void sync(Kring kring) {
    for (int slot = kring.hwcur; slot != kring.rhead; slot = kring.next(slot)) {
      long data = kring.data(slot);
      int length = kring.length(slot);
      DropReason fault = fault(data, length, kring.flags(slot), kring.usableBytes());
      if (fault == null) {
        add(data, length);
      } else {
        kring.drop(fault, 1);
      }
    }
    flush();
    if (refused != 0) {
      kring.drop(DropReason.REFUSED, refused);
      refused = 0;
    }
    kring.hwcur = kring.rhead;
    kring.hwtail = kring.hwcur == 0 ? kring.slots - 1 : kring.hwcur - 1;
  }

  /** Null when the slot's frame can be sent. netmap's host rings take single slots only. */
  private static @Nullable DropReason fault(long data, int length, int flags, int usable) {
    if (data == 0) {
      return DropReason.NO_BUFFER;
    }
    if ((flags & NetmapAbi.NS_MOREFRAG) != 0) {
      return DropReason.FRAGMENTED;
    }
    if (length < SHORTEST) {
      return DropReason.TOO_SHORT;
    }
    return length > usable ? DropReason.TOO_LONG : null;
  }

  /** Sends one frame; false when the host did not take it. */
  boolean send(long address, int length) {
    add(address, length);
    flush();
    boolean taken = refused == 0;
    refused = 0;
    return taken;
  }

  private void add(long data, int length) {
    long mac = onlyTo;
    if (mac != 0 && !isFor(mac, data)) {
      return;
    }
    batch.piece(waiting++, 0, data, length);
    if (waiting == MESSAGES) {
      flush();
    }
  }

  private static boolean isFor(long mac, long data) {
    long destination = Long.reverseBytes(Memory.getLong(data)) >>> 16;
    return destination == mac || (destination & (1L << 40)) != 0;
  }

  private void flush() {
    int sent = 0;
    while (sent < waiting) {
      int result = batch.send(socket.fd(), sent, waiting - sent);
      if (result > 0) {
        sent += result;
      } else if (result != -Errno.EINTR) {
        gone |= result == -Errno.ENXIO || result == -Errno.ENODEV;
        refused++;
        sent++;
      }
    }
    waiting = 0;
  }

  /** Whether the NIC is there no more. */
  boolean isGone() {
    return gone;
  }

  @Override
  public void close() {
    socket.close();
    batch.close();
  }
}
