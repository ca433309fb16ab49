// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.vhostnetmap.linux.libc.Native;

/**
 * AF_PACKET on one network device: whole Ethernet frames by {@code recvmmsg(2)} and {@code
 * sendmmsg(2)} ({@link PacketBatch}), straight from and into memory of the caller's. Sees what
 * others' frames bring to the device; what leaves it is not shown. Everything it asks of the device
 * (promiscuous mode) ends with it, also by {@code kill -9}.
 *
 * <p>Not a ring shared with the kernel: measured beside TPACKET_V2 and V3 rings, see {@code
 * docs/decisions/0007-host-path.md}.
 */
public final class PacketSocket implements AutoCloseable {
  private static final int AF_PACKET = 17;
  private static final int SOCK_RAW = 3;
  private static final int ETH_P_ALL = 3;
  private static final int SOL_PACKET = 263;
  private static final int PACKET_ADD_MEMBERSHIP = 1;
  private static final int PACKET_STATISTICS = 6;
  private static final int PACKET_AUXDATA = 8;
  private static final int PACKET_VNET_HDR = 15;
  private static final int PACKET_QDISC_BYPASS = 20;
  private static final int PACKET_IGNORE_OUTGOING = 23;
  private static final int PACKET_MR_PROMISC = 1;
  private static final int SO_SNDBUF = 7;
  private static final int SO_RCVBUF = 8;
  private static final int SO_ATTACH_FILTER = 26;
  private static final int SO_SNDBUFFORCE = 32;
  private static final int SO_RCVBUFFORCE = 33;
  private static final int SO_MARK = 36;

  private final Fd fd;
  private final NetDevice device;
  private long dropped;

  private PacketSocket(Fd fd, NetDevice device) {
    this.fd = fd;
    this.device = device;
  }

  /**
   * Receives every frame that comes to {@code device} and that {@code filter} answers other than 0
   * for. Each one's virtio-net header and VLAN tag are told by the {@link PacketBatch}.
   *
   * @param bufferBytes how much may wait in the kernel; less where this process may not have it
   */
  public static PacketSocket receiver(NetDevice device, ClassicBpf filter, int bufferBytes)
      throws ErrnoException {
    PacketSocket socket = create(device);
    try {
      // Before it is bound, so that no frame comes by that the filter would not have let through.
      socket.attach(filter);
      socket.set(SOL_PACKET, PACKET_VNET_HDR, 1);
      socket.set(SOL_PACKET, PACKET_AUXDATA, 1);
      socket.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
      socket.setBuffer(SO_RCVBUFFORCE, SO_RCVBUF, bufferBytes);
      socket.bind(ETH_P_ALL);
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  /**
   * Sends straight to the driver, past queueing disciplines and past whatever watches the host's
   * own transmit.
   *
   * @param bufferBytes how much may be under way; less where this process may not have it
   */
  public static PacketSocket sender(NetDevice device, int bufferBytes) throws ErrnoException {
    PacketSocket socket = create(device);
    try {
      socket.set(SOL_PACKET, PACKET_QDISC_BYPASS, 1);
      socket.setBuffer(SO_SNDBUFFORCE, SO_SNDBUF, bufferBytes);
      socket.bind(0);
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  /** Sends as the host's own programs do, each frame with {@code mark} on it. */
  public static PacketSocket markedSender(NetDevice device, int mark, int bufferBytes)
      throws ErrnoException {
    PacketSocket socket = create(device);
    try {
      socket.set(Sockets.SOL_SOCKET, SO_MARK, mark);
      socket.setBuffer(SO_SNDBUFFORCE, SO_SNDBUF, bufferBytes);
      socket.bind(0);
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  /** Neither sends nor receives, but keeps {@code device} promiscuous until it is closed. */
  public static PacketSocket promiscuous(NetDevice device) throws ErrnoException {
    PacketSocket socket = create(device);
    try {
      // struct packet_mreq: ifindex 0:4, type 4:2, alen 6:2, address 8:8.
      ByteBuffer request = ByteBuffer.allocate(16).order(ByteOrder.nativeOrder());
      request.putInt(0, device.index()).putShort(4, (short) PACKET_MR_PROMISC);
      socket.set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request.array());
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  /** Protocol 0: nothing is received until it is bound to more. */
  private static PacketSocket create(NetDevice device) throws ErrnoException {
    int opened = Native.C.socket(AF_PACKET, SOCK_RAW | Sockets.SOCK_CLOEXEC, 0);
    if (opened < 0) {
      throw new ErrnoException("open an AF_PACKET socket", Native.errno());
    }
    return new PacketSocket(new Fd(opened), device);
  }

  private void attach(ClassicBpf filter) throws ErrnoException {
    try (Mapping memory = Mapping.anonymous(4096)) {
      int count = filter.write(memory.address());
      // struct sock_fprog: len 0:2, filter 8:8.
      ByteBuffer program = ByteBuffer.allocate(16).order(ByteOrder.nativeOrder());
      program.putShort(0, (short) count).putLong(8, memory.address());
      set(Sockets.SOL_SOCKET, SO_ATTACH_FILTER, program.array());
    }
  }

  private void setBuffer(int force, int modest, int bytes) throws ErrnoException {
    try {
      set(Sockets.SOL_SOCKET, force, bytes);
    } catch (ErrnoException e) {
      set(Sockets.SOL_SOCKET, modest, bytes);
    }
  }

  private void set(int level, int option, int value) throws ErrnoException {
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder());
    set(level, option, bytes.putInt(0, value).array());
  }

  private void set(int level, int option, byte[] value) throws ErrnoException {
    if (Native.C.setsockopt(fd.value(), level, option, value, value.length) < 0) {
      throw new ErrnoException(
          "set option " + option + " of an AF_PACKET socket on " + device, Native.errno());
    }
  }

  private void bind(int protocol) throws ErrnoException {
    // struct sockaddr_ll: family 0:2, protocol 2:2 (big endian), ifindex 4:4, then 12 not needed.
    ByteBuffer address = ByteBuffer.allocate(20).order(ByteOrder.nativeOrder());
    address.putShort(0, (short) AF_PACKET);
    address.put(2, (byte) (protocol >> 8)).put(3, (byte) protocol);
    address.putInt(4, device.index());
    if (Native.C.bind(fd.value(), address.array(), address.capacity()) < 0) {
      throw new ErrnoException("bind an AF_PACKET socket to " + device, Native.errno());
    }
  }

  /** The descriptor to watch, and for {@link PacketBatch}; stays this object's. */
  public int fd() {
    return fd.value();
  }

  /** Frames that found no room in the kernel's buffer, all in all. One thread at a time. */
  public long dropped() {
    // struct tpacket_stats: packets 0:4, drops 4:4; asking sets both to 0.
    byte[] answer = new byte[8];
    if (Native.C.getsockopt(
            fd.value(), SOL_PACKET, PACKET_STATISTICS, answer, new int[] {answer.length})
        == 0) {
      dropped += Integer.toUnsignedLong(InterfaceRequest.getInt(answer, Integer.BYTES));
    }
    return dropped;
  }

  @Override
  public void close() {
    fd.close();
  }
}
