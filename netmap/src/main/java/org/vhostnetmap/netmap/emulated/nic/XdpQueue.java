// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.XdpSocket;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/** One hardware queue: its socket, and the two rings over it. */
final class XdpQueue implements AutoCloseable {
  /** How long the kernel may take to let go of an earlier socket of the queue. */
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);

  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  final XdpReceiver receiver;
  final XdpTransmitter transmitter;
  private final XdpSocket socket;
  private final boolean zeroCopy;

  private volatile @Nullable String failure;

  private XdpQueue(XdpSocket socket, Kring tx, Kring rx, Pool pool, boolean completesChecksums)
      throws ErrnoException {
    this.socket = socket;
    zeroCopy = socket.zeroCopy();
    receiver = new XdpReceiver(socket, rx, pool, zeroCopy, completesChecksums);
    transmitter = new XdpTransmitter(socket, tx, pool, zeroCopy);
  }

  /** Binds a socket and gives it the buffers of {@code rx}; no frame comes before a redirection. */
  static XdpQueue open(
      int interfaceIndex, int queue, Kring tx, Kring rx, Pool pool, boolean completesChecksums)
      throws ErrnoException {
    XdpSocket.Umem umem =
        new XdpSocket.Umem(
            pool.buffersAddress(), pool.buffersBytes(), pool.geometry().bufferBytes());
    XdpSocket socket = XdpSocket.open(umem, powerOfTwo(Math.max(tx.slots, rx.slots)));
    try {
      bind(socket, interfaceIndex, queue);
      socket.setTransmitBudget(tx.slots);
      return new XdpQueue(socket, tx, rx, pool, completesChecksums);
    } catch (ErrnoException failed) {
      socket.close();
      throw failed;
    }
  }

  private static int powerOfTwo(int atLeast) {
    return Math.max(2, Integer.highestOneBit(atLeast - 1) << 1);
  }

  private static void bind(XdpSocket socket, int interfaceIndex, int queue) throws ErrnoException {
    long end = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      try {
        socket.bind(interfaceIndex, queue, XdpSocket.XDP_USE_NEED_WAKEUP);
        return;
      } catch (ErrnoException refused) {
        if (refused.errno() != Errno.EBUSY || System.nanoTime() - end > 0) {
          throw refused;
        }
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
  }

  void txSync() {
    transmitter.sync();
    int error = transmitter.error();
    if (error != 0) {
      judge(error);
    }
  }

  void rxSync() {
    receiver.sync();
  }

  private void judge(int error) {
    if (error == -Errno.ENXIO || error == -Errno.ENODEV || error == -Errno.EBADF) {
      failure = "its network device is gone";
    }
  }

  /** Why it carries no frames any more, or null while it does: asks the kernel. */
  @Nullable String failure() {
    // Neither ring nor poll says that the device went away.
    judge(socket.wakeReceive());
    return failure;
  }

  boolean isZeroCopy() {
    return zeroCopy;
  }

  int fd() {
    return socket.fd();
  }

  XdpDrops drops() {
    try {
      return XdpDrops.of(socket.statistics());
    } catch (ErrnoException unbound) {
      return XdpDrops.NONE;
    }
  }

  /** The kernel's buffers are back in their slots afterwards. */
  @Override
  public void close() {
    socket.close();
    receiver.close();
  }
}
