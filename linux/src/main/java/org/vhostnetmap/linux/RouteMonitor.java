// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/**
 * Tells what happens to the network devices of the namespace it was opened in ({@code
 * rtnetlink(7)}, group RTMGRP_LINK). To be watched for {@link Epoll#IN} by an {@link EventLoop} and
 * then read. One thread at a time.
 */
public final class RouteMonitor implements AutoCloseable {
  private static final int AF_NETLINK = 16;
  private static final int SOCK_RAW = 3;
  private static final int SOCK_NONBLOCK = 0x800;
  private static final int NETLINK_ROUTE = 0;
  private static final int RTMGRP_LINK = 1;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_TRUNC = 0x20;
  private static final int BUFFER_BYTES =
      1 << 17; // a device with many virtual functions tells much

  private static final int RTM_NEWLINK = 16;
  private static final int RTM_DELLINK = 17;
  private static final int NLMSG_HEADER = 16; // len 0:4, type 4:2, flags 6:2, seq 8:4, pid 12:4
  private static final int IFINFO = 16; // family 0:1, type 2:2, index 4:4, flags 8:4, change 12:4
  private static final int ATTRIBUTE_HEADER = 4; // len 0:2, type 2:2
  private static final int IFLA_ADDRESS = 1;
  private static final int IFLA_IFNAME = 3;
  private static final int IFLA_MTU = 4;
  private static final int IFF_UP = 1;
  private static final int IFF_LOWER_UP = 0x10000;
  private static final int MAC_BYTES = 6;

  private final Fd fd;
  private final Mapping memory;
  private final byte[] bytes = new byte[BUFFER_BYTES];

  private RouteMonitor(Fd fd, Mapping memory) {
    this.fd = fd;
    this.memory = memory;
  }

  /** Listens from now on; needs no right. */
  public static RouteMonitor open() throws ErrnoException {
    int opened =
        Native.C.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | Sockets.SOCK_CLOEXEC, NETLINK_ROUTE);
    if (opened < 0) {
      throw new ErrnoException("open an rtnetlink socket", Native.errno());
    }
    Fd fd = new Fd(opened);
    try {
      // struct sockaddr_nl: family 0:2, pad 2:2, pid 4:4 (0: the kernel's choice), groups 8:4.
      ByteBuffer address = ByteBuffer.allocate(12).order(ByteOrder.nativeOrder());
      address.putShort(0, (short) AF_NETLINK).putInt(8, RTMGRP_LINK);
      if (Native.C.bind(opened, address.array(), address.capacity()) < 0) {
        throw new ErrnoException("join the rtnetlink group of links", Native.errno());
      }
      return new RouteMonitor(fd, Mapping.anonymous(BUFFER_BYTES));
    } catch (ErrnoException e) {
      fd.close();
      throw e;
    }
  }

  /** The descriptor to watch; stays this object's. */
  public int fd() {
    return fd.value();
  }

  /**
   * Hands what has come to {@code events}, in the kernel's order; never waits.
   *
   * @return false when the kernel had to throw some away: look at the devices themselves
   */
  public boolean read(Consumer<LinkEvent> events) throws ErrnoException {
    boolean complete = true;
    while (true) {
      long got =
          Native.C.recv(fd.value(), memory.address(), BUFFER_BYTES, MSG_DONTWAIT | MSG_TRUNC);
      if (got < 0) {
        int error = Native.errno();
        switch (error) {
          case Errno.EAGAIN -> {
            return complete;
          }
          case Errno.ENOBUFS -> complete = false;
          case Errno.EINTR -> {}
          default -> throw new ErrnoException("read the rtnetlink socket", error);
        }
      } else if (got > BUFFER_BYTES) {
        complete = false;
      } else {
        Memory.copyToArray(memory.address(), bytes, 0, (int) got);
        parse(ByteBuffer.wrap(bytes, 0, (int) got).order(ByteOrder.nativeOrder()), events);
      }
    }
  }

  /** All messages of one datagram; one that is cut short ends it. */
  static void parse(ByteBuffer datagram, Consumer<LinkEvent> events) {
    int at = 0;
    while (datagram.limit() - at >= NLMSG_HEADER) {
      int length = datagram.getInt(at);
      if (length < NLMSG_HEADER || length > datagram.limit() - at) {
        return;
      }
      LinkEvent event = event(datagram, at, at + length);
      if (event != null) {
        events.accept(event);
      }
      at += aligned(length);
    }
  }

  /** Null when the message tells nothing of a device itself. */
  private static @Nullable LinkEvent event(ByteBuffer datagram, int message, int end) {
    int type = datagram.getShort(message + 4);
    int info = message + NLMSG_HEADER;
    // Another family than AF_UNSPEC tells of a part the device plays, such as a bridge's port: a
    // DELLINK then is not its end.
    if ((type != RTM_NEWLINK && type != RTM_DELLINK)
        || end - info < IFINFO
        || datagram.get(info) != 0) {
      return null;
    }
    String name = "";
    int mtu = 0;
    long mac = 0;
    int at = info + IFINFO;
    while (end - at >= ATTRIBUTE_HEADER) {
      int length = datagram.getShort(at) & 0xffff;
      if (length < ATTRIBUTE_HEADER || length > end - at) {
        break;
      }
      int value = at + ATTRIBUTE_HEADER;
      int bytes = length - ATTRIBUTE_HEADER;
      switch (datagram.getShort(at + 2)) {
        case IFLA_IFNAME -> name = text(datagram, value, bytes);
        case IFLA_MTU -> mtu = bytes >= Integer.BYTES ? datagram.getInt(value) : 0;
        case IFLA_ADDRESS -> mac = bytes == MAC_BYTES ? mac(datagram, value) : 0;
        default -> {}
      }
      at += aligned(length);
    }
    int flags = datagram.getInt(info + 8);
    return new LinkEvent(
        datagram.getInt(info + 4),
        name,
        type == RTM_NEWLINK,
        (flags & IFF_UP) != 0,
        (flags & IFF_LOWER_UP) != 0,
        mtu,
        mac);
  }

  private static int aligned(int length) {
    return (length + 3) & ~3;
  }

  private static String text(ByteBuffer datagram, int at, int bytes) {
    byte[] name = new byte[bytes];
    datagram.get(at, name);
    int length = 0;
    while (length < bytes && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, StandardCharsets.UTF_8);
  }

  private static long mac(ByteBuffer datagram, int at) {
    long mac = 0;
    for (int i = 0; i < MAC_BYTES; i++) {
      mac = (mac << 8) | (datagram.get(at + i) & 0xff);
    }
    return mac;
  }

  @Override
  public void close() {
    fd.close();
    memory.close();
  }
}
