// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * One TX ring, sent by {@code sendmmsg(2)} straight from its buffers. A frame is the kernel's as
 * soon as the call is over, so its slots come back at once. Guarded by the kring's monitor.
 */
final class PacketTransmitter implements AutoCloseable {
  private static final int MESSAGES = 64;
  private static final int SHORTEST = 14;

  /** Slots of a frame: enough for 64 KiB in buffers of 1792 bytes. */
  static final int PIECES = 40;

  private static final int INCOMPLETE = -1;

  private final int fd;
  private final boolean waits;
  private final Runnable deviceMayBeGone;
  private final PacketBatch batch;

  /** By message: the slot where its frame begins. */
  private final int[] starts = new int[MESSAGES];

  private final @Nullable Addressee addressee;

  /**
   * Borrows a sender's descriptor.
   *
   * @param waits whether frames stay in the ring while the device is busy, else they are dropped
   * @param addressee whom frames have to be for, or null for anybody
   * @param deviceMayBeGone told when an error looks like that
   */
  PacketTransmitter(int fd, boolean waits, @Nullable Addressee addressee, Runnable deviceMayBeGone)
      throws ErrnoException {
    this.fd = fd;
    this.waits = waits;
    this.addressee = addressee;
    this.deviceMayBeGone = deviceMayBeGone;
    batch = PacketBatch.toSend(MESSAGES, PIECES);
  }

  /** As {@code Adapter.txSync}. */
  void sync(Kring kring) {
    boolean more = kring.hwcur != kring.rhead;
    while (more) {
      int before = kring.hwcur;
      int slot = before;
      int count = 0;
      while (count < MESSAGES && slot != kring.rhead) {
        int end = end(kring, slot);
        if (end == INCOMPLETE || !add(kring, count, slot, end)) {
          break;
        }
        starts[count++] = slot;
        slot = end;
      }
      if (count == 0) {
        more = dropFirst(kring);
      } else {
        int done = send(kring, count);
        kring.hwcur = done == count ? slot : starts[done];
        more = done == count && kring.hwcur != kring.rhead;
        if (done < count) {
          // The device is busy; whoever sleeps has to come again.
          kring.notifyUsers();
        }
      }
    }
    kring.hwtail = kring.hwcur == 0 ? kring.slots - 1 : kring.hwcur - 1;
  }

  /** The slot after the frame that begins at {@code slot}. */
  private static int end(Kring kring, int slot) {
    int at = slot;
    while ((kring.flags(at) & NetmapAbi.NS_MOREFRAG) != 0) {
      at = kring.next(at);
      if (at == kring.rhead) {
        return INCOMPLETE;
      }
    }
    return kring.next(at);
  }

  /** False when the frame can't be sent. */
  private boolean add(Kring kring, int message, int slot, int end) {
    if (fault(kring, slot, end) != null) {
      return false;
    }
    int piece = 0;
    for (int at = slot; at != end; at = kring.next(at)) {
      batch.piece(message, piece++, kring.data(at), kring.length(at));
    }
    batch.pieces(message, piece);
    return true;
  }

  private @Nullable DropReason fault(Kring kring, int slot, int end) {
    int total = 0;
    for (int at = slot; at != end; at = kring.next(at)) {
      int length = kring.length(at);
      if (kring.data(at) == 0) {
        return DropReason.NO_BUFFER;
      }
      if (length > kring.usableBytes()) {
        return DropReason.TOO_LONG;
      }
      total += length;
    }
    if (kring.distance(slot, end) > PIECES) {
      return DropReason.FRAGMENTED;
    }
    if (total < SHORTEST) {
      return DropReason.TOO_SHORT;
    }
    boolean taken = addressee == null || addressee.takes(kring.data(slot));
    return taken ? null : DropReason.NOT_FOR_HOST;
  }

  /**
   * The first frame is one that can't be sent; or one whose end the user has not shown yet, which
   * may still come unless the whole ring waits for it. Whether there is more to do.
   */
  private boolean dropFirst(Kring kring) {
    int end = end(kring, kring.hwcur);
    if (end == INCOMPLETE) {
      if (kring.distance(kring.hwcur, kring.rhead) < kring.slots - 1) {
        return false;
      }
      kring.drop(DropReason.FRAGMENTED, 1);
      kring.hwcur = kring.rhead;
      return false;
    }
    DropReason reason = fault(kring, kring.hwcur, end);
    kring.drop(reason == null ? DropReason.REFUSED : reason, 1);
    kring.hwcur = end;
    return kring.hwcur != kring.rhead;
  }

  /** How many of the frames are dealt with; the others wait for a device that is busy. */
  private int send(Kring kring, int count) {
    int done = 0;
    while (done < count) {
      int result = batch.send(fd, done, count - done);
      if (result > 0) {
        done += result;
        continue;
      }
      switch (-result) {
        case Errno.EINTR -> {}
        case Errno.EAGAIN, Errno.ENOBUFS -> {
          if (waits) {
            return done;
          }
          kring.drop(DropReason.REFUSED, 1);
          done++;
        }
        case Errno.EMSGSIZE -> {
          kring.drop(DropReason.TOO_LONG, 1);
          done++;
        }
        default -> {
          kring.drop(DropReason.REFUSED, 1);
          done++;
          deviceMayBeGone.run();
        }
      }
    }
    return done;
  }

  @Override
  public void close() {
    batch.close();
  }
}
