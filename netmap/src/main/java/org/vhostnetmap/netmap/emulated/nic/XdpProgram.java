// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.BpfCode;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.netmap.NetmapException;

/**
 * The XDP program on one interface: a frame of a queue that has a socket goes to it, all others on
 * to the host. Gone at {@link #close}, or with the process.
 */
final class XdpProgram implements AutoCloseable {
  /** {@code struct xdp_md}: rx_queue_index. */
  private static final int RX_QUEUE_INDEX = 16;

  private static final int XDP_PASS = 2;
  private static final int BPF_REDIRECT_MAP = 51;

  private final Fd sockets;
  private final Fd link;
  private final boolean generic;

  private XdpProgram(Fd sockets, Fd link, boolean generic) {
    this.sockets = sockets;
    this.link = link;
    this.generic = generic;
  }

  /**
   * Attaches it: by the driver's hook, or the stack's where the driver has none or can't use it
   * now.
   */
  static XdpProgram attach(String name, int index, int queues) throws NetmapException {
    try {
      Fd sockets = Bpf.createXskMap(queues);
      try (Fd program = load(sockets)) {
        return attach(program, sockets, index);
      } catch (ErrnoException failed) {
        sockets.close();
        throw failed;
      }
    } catch (ErrnoException failed) {
      if (failed.errno() != Errno.EBUSY) {
        throw XdpFactory.refusal(name, failed);
      }
      throw new NetmapException(
          "another XDP program is on " + name + " (ip link set dev " + name + " xdp off)",
          Errno.EBUSY,
          failed);
    }
  }

  private static XdpProgram attach(Fd program, Fd sockets, int index) throws ErrnoException {
    try {
      Fd link = Bpf.link(program.value(), index, Bpf.ATTACH_XDP, Bpf.XDP_FLAGS_DRV_MODE);
      return new XdpProgram(sockets, link, false);
    } catch (ErrnoException refused) {
      if (refused.errno() == Errno.EBUSY) {
        throw refused;
      }
      Fd link = Bpf.link(program.value(), index, Bpf.ATTACH_XDP, Bpf.XDP_FLAGS_SKB_MODE);
      return new XdpProgram(sockets, link, true);
    }
  }

  private static Fd load(Fd sockets) throws ErrnoException {
    BpfCode code =
        new BpfCode()
            .loadWord(2, 1, RX_QUEUE_INDEX)
            .loadMap(1, sockets.value())
            .move(3, XDP_PASS)
            .call(BPF_REDIRECT_MAP)
            .exit();
    return Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "vhost_netmap", code);
  }

  /** Whether it runs in the stack instead of the driver, after a copy. */
  boolean isGeneric() {
    return generic;
  }

  /** From now on the queue's frames go to the socket. */
  void redirect(int queue, int socket) throws ErrnoException {
    Bpf.update(sockets.value(), queue, socket);
  }

  /** From now on the queue's frames go to the host. A closed socket leaves by itself as well. */
  void pass(int queue) {
    try {
      Bpf.delete(sockets.value(), queue);
    } catch (ErrnoException notThere) {
      // Its socket is closed, or the queue never had one.
    }
  }

  @Override
  public void close() {
    link.close();
    sockets.close();
  }
}
