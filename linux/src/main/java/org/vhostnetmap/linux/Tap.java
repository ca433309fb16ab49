// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.vhostnetmap.linux.libc.Native;

/**
 * A TAP interface of the host: each read gives a frame that the host sent into it, each write one
 * to the host. It lives until closed, unless somebody made it persistent.
 */
public final class Tap implements AutoCloseable {
  private static final String DEVICE = "/dev/net/tun";
  private static final int O_RDWR = 2;
  private static final int O_NONBLOCK = 0x800;
  private static final int O_CLOEXEC = 0x80000;
  private static final long TUNSETIFF = 0x400454caL;
  private static final long TUNSETQUEUE = 0x400454d9L;
  private static final long TUNSETVNETHDRSZ = 0x400454d8L;
  private static final long TUNSETOFFLOAD = 0x400454d0L;
  private static final long SIOCGIFFLAGS = 0x8913;
  private static final long SIOCSIFFLAGS = 0x8914;
  private static final long SIOCGIFMTU = 0x8921;
  private static final short IFF_TAP = 0x0002;
  private static final short IFF_NO_PI = 0x1000;
  private static final short IFF_MULTI_QUEUE = 0x0100;
  private static final short IFF_VNET_HDR = 0x4000;
  private static final short IFF_ATTACH_QUEUE = 0x0200;
  private static final short IFF_DETACH_QUEUE = 0x0400;
  private static final short IFF_UP = 0x0001;

  /** TUN_F_CSUM, TSO4, TSO6 and TSO_ECN. */
  private static final int TUN_F_TCP = 0x0f;

  /** TUN_F_USO4 and USO6, from Linux 6.2 on. */
  private static final int TUN_F_USO = 0x60;

  /** Bytes of the header before each frame of a TAP of {@link #openWithHeaders}. */
  public static final int HEADER_BYTES = 10;

  private final List<Fd> queues;
  private final BitSet unused = new BitSet();
  private final String name;
  private boolean headers;
  private boolean datagrams;

  private Tap(List<Fd> queues, String name) {
    this.queues = queues;
    this.name = name;
  }

  /**
   * Creates the TAP {@code name}, or joins it where it exists and is persistent, and brings it up.
   * Frames come and go without any header before them; reads and writes don't wait.
   */
  public static Tap open(String name) throws ErrnoException {
    Tap tap = create(name, 1, (short) 0);
    try {
      tap.setUp();
      return tap;
    } catch (ErrnoException e) {
      tap.close();
      throw e;
    }
  }

  /**
   * As {@link #open}, but a virtio-net header of {@value #HEADER_BYTES} bytes comes before each
   * frame, both ways (struct virtio_net_hdr, little-endian): the host leaves checksums and the
   * segmentation of TCP to us, and takes frames whose checksum and segmentation are left to it.
   */
  public static Tap openWithHeaders(String name) throws ErrnoException {
    Tap tap = create(name, 1, IFF_VNET_HDR);
    try {
      tap.useHeaders();
      tap.setUp();
      return tap;
    } catch (ErrnoException e) {
      tap.close();
      throw e;
    }
  }

  private void useHeaders() throws ErrnoException {
    byte[] size = new byte[Integer.BYTES];
    InterfaceRequest.putInt(size, 0, HEADER_BYTES);
    if (Native.C.ioctl(fd(), TUNSETVNETHDRSZ, size) < 0) {
      throw new ErrnoException("set the header's size of TAP " + name, Native.errno());
    }
    headers = true;
    datagrams = Native.C.ioctl(fd(), TUNSETOFFLOAD, TUN_F_TCP | TUN_F_USO) >= 0;
    if (!datagrams && Native.C.ioctl(fd(), TUNSETOFFLOAD, TUN_F_TCP) < 0) {
      throw new ErrnoException("switch on the offloads of TAP " + name, Native.errno());
    }
  }

  /** Whether the host takes UDP data that is to be cut into datagrams. */
  public boolean takesDatagramSegmentation() {
    return datagrams;
  }

  /**
   * As {@link #open}, but left down, and with {@code queues} queues, over which the frames that the
   * host sends are spread by flow. A name that ends in {@code %d} gets the first free number.
   */
  public static Tap create(String name, int queues) throws ErrnoException {
    return create(name, queues, IFF_MULTI_QUEUE);
  }

  private static Tap create(String name, int queues, short flags) throws ErrnoException {
    List<Fd> opened = new ArrayList<>();
    try {
      String current = name;
      for (int i = 0; i < queues; i++) {
        InterfaceRequest request = new InterfaceRequest(current);
        request.setFlags((short) (IFF_TAP | IFF_NO_PI | flags));
        Fd fd = device();
        opened.add(fd);
        request.send(fd.value(), TUNSETIFF, "attach to TAP " + current);
        current = request.name();
      }
      return new Tap(List.copyOf(opened), current);
    } catch (ErrnoException e) {
      opened.forEach(Fd::close);
      throw e;
    }
  }

  private static Fd device() throws ErrnoException {
    int opened = Native.C.open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    if (opened < 0) {
      throw new ErrnoException("open " + DEVICE, Native.errno());
    }
    return new Fd(opened);
  }

  /** The descriptor to watch, of the first queue; stays this object's. */
  public int fd() {
    return fd(0);
  }

  /** The descriptor of one queue; stays this object's. */
  public int fd(int queue) {
    return queues.get(queue).value();
  }

  /** How many queues it has. */
  public int queues() {
    return queues.size();
  }

  /**
   * Has the host spread its frames over this queue as well, or no longer: with none left it drops
   * them. Only for a TAP of {@link #create}; all are in use at first. Frames that wait in a queue
   * stay there. One thread at a time.
   */
  public void setQueueUsed(int queue, boolean used) throws ErrnoException {
    if (unused.get(queue) != used) {
      return;
    }
    InterfaceRequest request = new InterfaceRequest(name);
    request.setFlags(used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
    request.send(fd(queue), TUNSETQUEUE, (used ? "use" : "leave") + " a queue of TAP " + name);
    unused.set(queue, !used);
  }

  /** The interface's name. */
  public String name() {
    return name;
  }

  /** Largest payload of a frame in bytes, without its 14-byte Ethernet header. */
  public int mtu() throws ErrnoException {
    InterfaceRequest request = new InterfaceRequest(name);
    request.send(SIOCGIFMTU, "ask for the MTU of " + name);
    return request.number();
  }

  /** Brings the interface up; asks for no right when it is up already. */
  public void setUp() throws ErrnoException {
    InterfaceRequest request = new InterfaceRequest(name);
    request.send(SIOCGIFFLAGS, "ask for the state of " + name);
    if ((request.flags() & IFF_UP) == 0) {
      request.setFlags((short) (request.flags() | IFF_UP));
      request.send(SIOCSIFFLAGS, "bring up " + name);
    }
  }

  /**
   * Reads one frame; its length, or the negative error number ({@code -EAGAIN}: none there). Any
   * thread.
   */
  public static int read(int fd, long address, int length) {
    long got = Native.C.read(fd, address, length);
    return got >= 0 ? (int) got : -Native.errno();
  }

  /** Writes one frame; its length, or the negative error number. Any thread. */
  public static int write(int fd, long address, int length) {
    long done = Native.C.write(fd, address, length);
    return done >= 0 ? (int) done : -Native.errno();
  }

  /**
   * Writes one frame from {@code count} pieces; {@code iovecs} is an array of address and length, 8
   * bytes each. Its length, or the negative error number ({@code -EFAULT}: a piece's page has
   * vanished). Any thread.
   */
  public static int writev(int fd, long iovecs, int count) {
    long done = Native.C.writev(fd, iovecs, count);
    return done >= 0 ? (int) done : -Native.errno();
  }

  /** As {@link #writev}, the other way: one frame into {@code count} pieces. */
  public static int readv(int fd, long iovecs, int count) {
    long got = Native.C.readv(fd, iovecs, count);
    return got >= 0 ? (int) got : -Native.errno();
  }

  @Override
  public void close() {
    if (headers) {
      // A TAP that outlives us would go on leaving checksums to whoever has it next.
      Native.C.ioctl(fd(), TUNSETOFFLOAD, 0L);
    }
    queues.forEach(Fd::close);
  }
}
