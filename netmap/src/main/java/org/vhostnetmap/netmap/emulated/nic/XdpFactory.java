// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.XdpSocket;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * NICs by AF_XDP. Looks at all that can be known without taking the NIC: attaching a program makes
 * some drivers start their link anew.
 */
public final class XdpFactory implements NicQueues.Factory {
  /**
   * Unless the first open wishes otherwise. Fewer to send: where the kernel copies they come back
   * at once, and their buffers should stay in the processor's cache.
   */
  private static final int TX_SLOTS = 512;

  private static final int RX_SLOTS = 1024;

  private static final int FEWEST_SLOTS = 64;
  private static final int SMALLEST_CHUNK = 2048;
  private static final int BIGGEST_CHUNK = 4096;

  /** Ethernet header and two VLAN tags. */
  private static final int HEADERS = 22;

  /** For the list of ways to serve a NIC. */
  public XdpFactory() {}

  @Override
  public String name() {
    return "AF_XDP";
  }

  @Override
  public NicQueues create(String nic, Pool memory, RegisterRequest wishes) throws NetmapException {
    requireChunks(memory.geometry());
    try {
      NetDevice device = NetDevice.of(nic);
      queues(nic, device);
      requireRoomForFrames(nic, device, memory);
      tryTheKernel();
      int most = (memory.geometry().ringBytes() - NetmapAbi.RING_BYTES) / NetmapAbi.SLOT_BYTES;
      return new XdpQueues(
          nic,
          device,
          memory,
          slots(wishes.txSlots(), TX_SLOTS, most),
          slots(wishes.rxSlots(), RX_SLOTS, most),
          device.driver().equals("veth"));
    } catch (ErrnoException failed) {
      throw refusal(nic, failed);
    }
  }

  private static int slots(int wish, int usual, int most) {
    return Math.clamp(wish == 0 ? usual : wish, Math.min(FEWEST_SLOTS, most), most);
  }

  private static void requireChunks(Pool.Geometry geometry) throws NetmapException {
    int chunk = geometry.bufferBytes();
    if (Integer.bitCount(chunk) != 1 || chunk < SMALLEST_CHUNK || chunk > BIGGEST_CHUNK) {
      throw new NetmapException(
          "AF_XDP takes buffers of 2048 or 4096 bytes, not of " + chunk, Errno.EINVAL);
    }
    if (geometry.skew() != XdpSocket.HEADROOM) {
      throw new NetmapException(
          "AF_XDP receives 256 bytes into a buffer, not " + geometry.skew(), Errno.EINVAL);
    }
  }

  /** Whether this process may use BPF, and AF_XDP with memory that it pins. */
  private static void tryTheKernel() throws ErrnoException {
    Bpf.createXskMap(1).close();
    try (Mapping memory = Mapping.anonymous(BIGGEST_CHUNK)) {
      XdpSocket.open(new XdpSocket.Umem(memory.address(), memory.length(), SMALLEST_CHUNK), 2)
          .close();
    }
  }

  /** Queue pairs; every receive queue has to be one of them, or its frames would be the host's. */
  static int queues(String name, NetDevice device) throws ErrnoException, NetmapException {
    NetDevice.Channels channels = device.channels();
    if (channels.rx() > channels.tx()) {
      throw new NetmapException(
          "AF_XDP on "
              + name
              + ": "
              + channels.rx()
              + " receive queues but "
              + channels.tx()
              + " transmit queues; make them equal (ethtool -L "
              + name
              + " ...)",
          Errno.EINVAL);
    }
    return channels.rx();
  }

  static void requireRoomForFrames(String name, NetDevice device, Pool pool)
      throws ErrnoException, NetmapException {
    int mtu = device.mtu();
    int room = pool.usableBytes() - HEADERS;
    if (mtu > room) {
      throw new NetmapException(
          "AF_XDP on "
              + name
              + ": MTU "
              + mtu
              + ", but a buffer holds "
              + room
              + " (ip link set dev "
              + name
              + " mtu "
              + room
              + ", or memory with buffers of 4096 bytes)",
          Errno.EINVAL);
    }
  }

  /** The same refusal, which names the NIC. */
  static NetmapException refusal(String name, ErrnoException failed) {
    String message = String.valueOf(failed.getMessage());
    String reason = message.replace(": " + Errno.describe(failed.errno()), "");
    return new NetmapException("AF_XDP on " + name + ": " + reason, failed.errno(), failed);
  }
}
