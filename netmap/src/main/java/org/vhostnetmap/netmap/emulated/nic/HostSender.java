// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.linux.PacketSocket;
import org.vhostnetmap.netmap.emulated.Kring;

/**
 * Frames towards the host's stack, which receives them as if they had come by the NIC: they are
 * sent on the NIC with a mark, and a {@link NicHook} at its egress turns them round. One thread at
 * a time.
 */
final class HostSender implements AutoCloseable {
  private static final int BUFFER_BYTES = 4 << 20;

  private final PacketSocket socket;
  private final PacketTransmitter transmitter;

  /** For {@link #send}: one frame. */
  private final PacketBatch single;

  private final Addressee addressee;

  HostSender(NetDevice nic, Addressee addressee, Runnable deviceMayBeGone) throws ErrnoException {
    this.addressee = addressee;
    socket = PacketSocket.markedSender(nic, NicHook.mark(nic), BUFFER_BYTES);
    PacketTransmitter made = null;
    try {
      made = new PacketTransmitter(socket.fd(), false, addressee, deviceMayBeGone);
      transmitter = made;
      single = PacketBatch.toSend(1, 1);
      single.pieces(0, 1);
    } catch (ErrnoException e) {
      socket.close();
      if (made != null) {
        made.close();
      }
      throw e;
    }
  }

  /**
   * As {@code Adapter.txSync}: all up to rhead goes, or is dropped, at once; only a frame whose
   * last slot the user has not shown yet waits for it.
   */
  void sync(Kring kring) {
    transmitter.sync(kring);
  }

  /** Sends one frame; false when the host did not take it. */
  boolean send(long address, int length) {
    if (!addressee.takes(address)) {
      return false;
    }
    single.piece(0, 0, address, length);
    return single.send(socket.fd(), 0, 1) == 1;
  }

  @Override
  public void close() {
    socket.close();
    transmitter.close();
    single.close();
  }
}
