// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * One RX ring, filled by {@code recvmmsg(2)} straight into its buffers. Frames that are not as on
 * the wire, or longer than a buffer, go through a {@link FrameMender}. Guarded by the kring's
 * monitor.
 */
final class PacketReceiver implements AutoCloseable {
  private static final int MESSAGES = 64;

  /** How many slots one long frame may need; once there was one, that many are kept in reserve. */
  private static final int SLOTS_OF_LONG = 48;

  private final int fd;
  private final Runnable deviceMayBeGone;
  private final PacketBatch batch;

  /** Where the end of a frame goes that is longer than its buffer; untouched pages cost nothing. */
  private final Mapping overflow;

  private final FrameMender mender;
  private boolean longFrames;

  PacketReceiver(int fd, int slots, Pool pool, Runnable deviceMayBeGone) throws ErrnoException {
    this.fd = fd;
    this.deviceMayBeGone = deviceMayBeGone;
    batch = PacketBatch.toReceive(MESSAGES, 2);
    Mapping mapped = null;
    try {
      mapped = Mapping.anonymous((long) MESSAGES * FrameMender.LONGEST);
      overflow = mapped;
      mender = new FrameMender(batch, slots, pool);
    } catch (ErrnoException e) {
      batch.close();
      if (mapped != null) {
        mapped.close();
      }
      throw e;
    }
    for (int i = 0; i < MESSAGES; i++) {
      batch.pieces(i, 2);
      batch.piece(i, 1, overflow(i), FrameMender.LONGEST);
    }
  }

  private long overflow(int message) {
    return overflow.address() + (long) FrameMender.LONGEST * message;
  }

  int fd() {
    return fd;
  }

  /** As {@code Adapter.rxSync}. */
  void sync(Kring kring) {
    kring.hwcur = kring.rhead;
    boolean more = true;
    while (more) {
      int wanted = offerBuffers(kring);
      if (wanted == 0) {
        return;
      }
      int got = batch.receive(fd, wanted);
      if (got > 0) {
        deliver(kring, got);
        more = got == wanted;
      } else {
        more = got < 0 && goesOnAfter(kring, -got);
      }
    }
  }

  /** Lets the messages point to the buffers of the next slots; how many. */
  private int offerBuffers(Kring kring) {
    int room = kring.room();
    int most = Math.min(room, MESSAGES);
    if (longFrames) {
      most = Math.clamp(room / SLOTS_OF_LONG, Math.min(1, room), most);
    }
    int slot = kring.hwtail;
    int usable = kring.usableBytes();
    int count = 0;
    while (count < most) {
      long data = kring.data(slot);
      if (data == 0) {
        if (count > 0) {
          break;
        }
        // The user gave a slot back that names no buffer: an empty frame takes its turn.
        kring.drop(DropReason.NO_BUFFER, 1);
        kring.setSlot(slot, 0, 0);
        kring.hwtail = kring.next(slot);
        most--;
      } else {
        batch.piece(count++, 0, data, usable);
      }
      slot = kring.next(slot);
    }
    return count;
  }

  private boolean goesOnAfter(Kring kring, int error) {
    return switch (error) {
      case Errno.EAGAIN -> false;
      case Errno.EINTR -> true;
      case Errno.EINVAL -> {
        // A frame whose offloads a virtio-net header can't tell; the kernel has thrown it away.
        kring.drop(DropReason.REFUSED, 1);
        yield true;
      }
      default -> {
        // ENETDOWN: told once when the device goes down, or away.
        deviceMayBeGone.run();
        yield false;
      }
    };
  }

  private void deliver(Kring kring, int got) {
    int slot = kring.hwtail;
    int usable = kring.usableBytes();
    for (int i = 0; i < got; i++) {
      int length = batch.length(i);
      if (length > usable || !batch.isPlain(i) || batch.vlanTag(i) != 0) {
        kring.hwtail = slot;
        longFrames = mender.deliver(kring, i, got, overflow.address());
        return;
      }
      kring.setSlot(slot, length, 0);
      slot = kring.next(slot);
    }
    kring.hwtail = slot;
    longFrames = false;
  }

  @Override
  public void close() {
    mender.close();
    overflow.close();
    batch.close();
  }
}
