// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;

/**
 * A network device of the calling thread's network namespace, by its index, so that it stays the
 * same one under another name. Holds nothing: each question is one or two {@code ioctl(2)} of
 * {@code netdevice(7)} or ethtool. Every method fails with ENODEV when the device is gone. Any
 * thread of the namespace.
 */
public final class NetDevice {
  private static final long SIOCGIFNAME = 0x8910;
  private static final long SIOCGIFFLAGS = 0x8913;
  private static final long SIOCSIFFLAGS = 0x8914;
  private static final long SIOCGIFMTU = 0x8921;
  private static final long SIOCSIFMTU = 0x8922;
  private static final long SIOCSIFHWADDR = 0x8924;
  private static final long SIOCGIFHWADDR = 0x8927;
  private static final long SIOCGIFINDEX = 0x8933;
  private static final long SIOCETHTOOL = 0x8946;

  private static final int IFF_UP = 0x1;
  private static final int IFF_RUNNING = 0x40;
  private static final int IFF_PROMISC = 0x100;

  private static final int ETHTOOL_GDRVINFO = 0x3;
  private static final int ETHTOOL_GRINGPARAM = 0x10;
  private static final int ETHTOOL_GCHANNELS = 0x3c;
  private static final int DRVINFO_DRIVER = 4;
  private static final int DRVINFO_NAME_BYTES = 32;

  private final int index;

  private NetDevice(int index) {
    this.index = index;
  }

  /** The device that is called {@code name} now. */
  public static NetDevice of(String name) throws ErrnoException {
    InterfaceRequest request = new InterfaceRequest(name);
    request.send(SIOCGIFINDEX, "find the network device " + name);
    return new NetDevice(request.number());
  }

  /** The device of that index, which need not be there yet. */
  public static NetDevice of(int index) {
    return new NetDevice(index);
  }

  /** Its number in its namespace; never used again for another device soon. */
  public int index() {
    return index;
  }

  /** Its name now. */
  public String name() throws ErrnoException {
    return request().name();
  }

  /** A request that carries the name of now. */
  private InterfaceRequest request() throws ErrnoException {
    InterfaceRequest request = new InterfaceRequest();
    request.setNumber(index);
    request.send(SIOCGIFNAME, "find the network device of index " + index);
    return request;
  }

  private InterfaceRequest ask(long code, String what) throws ErrnoException {
    InterfaceRequest request = request();
    request.send(code, "ask for " + what + " of " + request.name());
    return request;
  }

  /** Whether it is administratively up. */
  public boolean isUp() throws ErrnoException {
    return hasFlag(IFF_UP);
  }

  /** Whether it is up and its link is. */
  public boolean isRunning() throws ErrnoException {
    return hasFlag(IFF_RUNNING);
  }

  /**
   * Whether {@code ip link set promisc on} is in force; a packet socket's own wish for promiscuous
   * mode doesn't show here.
   */
  public boolean isPromiscuous() throws ErrnoException {
    return hasFlag(IFF_PROMISC);
  }

  private boolean hasFlag(int flag) throws ErrnoException {
    return (ask(SIOCGIFFLAGS, "the state").flags() & flag) != 0;
  }

  /** Brings it up or down. */
  public void setUp(boolean up) throws ErrnoException {
    setFlag(IFF_UP, up, up ? "bring up " : "take down ");
  }

  /** Has it receive frames for any address, or no longer. */
  public void setPromiscuous(boolean on) throws ErrnoException {
    setFlag(IFF_PROMISC, on, "switch promiscuous mode of ");
  }

  /** Asks for no right when the flag is so already. */
  private void setFlag(int flag, boolean on, String what) throws ErrnoException {
    InterfaceRequest request = ask(SIOCGIFFLAGS, "the state");
    int flags = request.flags();
    int wanted = on ? flags | flag : flags & ~flag;
    if (wanted != flags) {
      request.setFlags((short) wanted);
      request.send(SIOCSIFFLAGS, what + request.name());
    }
  }

  /** Largest payload of a frame in bytes, without its 14-byte Ethernet header. */
  public int mtu() throws ErrnoException {
    return ask(SIOCGIFMTU, "the MTU").number();
  }

  /** Sets {@link #mtu}. */
  public void setMtu(int bytes) throws ErrnoException {
    InterfaceRequest request = request();
    request.setNumber(bytes);
    request.send(SIOCSIFMTU, "set the MTU of " + request.name() + " to " + bytes);
  }

  /** Its Ethernet address, the first byte on the wire in bits 47 to 40. */
  public long mac() throws ErrnoException {
    return ask(SIOCGIFHWADDR, "the address").mac();
  }

  /** Sets {@link #mac}. */
  public void setMac(long mac) throws ErrnoException {
    InterfaceRequest request = request();
    request.setMac(mac);
    request.send(SIOCSIFHWADDR, "set the address of " + request.name());
  }

  /** Its driver, such as {@code veth}; empty where the driver does not tell. */
  public String driver() throws ErrnoException {
    byte[] answer = new byte[196];
    if (!ethtool(ETHTOOL_GDRVINFO, answer, "the driver")) {
      return "";
    }
    int end = DRVINFO_DRIVER;
    while (end < DRVINFO_DRIVER + DRVINFO_NAME_BYTES && answer[end] != 0) {
      end++;
    }
    return new String(answer, DRVINFO_DRIVER, end - DRVINFO_DRIVER, StandardCharsets.UTF_8);
  }

  /** Queues in use, and how many there could be. */
  public record Channels(int rx, int tx, int mostRx, int mostTx) {}

  /** Its queues; one each way where the driver does not tell. */
  public Channels channels() throws ErrnoException {
    // cmd, max_rx, max_tx, max_other, max_combined, rx, tx, other, combined.
    byte[] answer = new byte[36];
    if (!ethtool(ETHTOOL_GCHANNELS, answer, "the channels")) {
      return new Channels(1, 1, 1, 1);
    }
    return new Channels(
        Math.max(1, word(answer, 5) + word(answer, 8)),
        Math.max(1, word(answer, 6) + word(answer, 8)),
        Math.max(1, word(answer, 1) + word(answer, 4)),
        Math.max(1, word(answer, 2) + word(answer, 4)));
  }

  /** Frames that its rings hold. */
  public record RingSizes(int rx, int tx) {}

  /** Its rings' sizes; 0 where the driver does not tell. */
  public RingSizes ringSizes() throws ErrnoException {
    // cmd, rx_max, rx_mini_max, rx_jumbo_max, tx_max, rx, rx_mini, rx_jumbo, tx.
    byte[] answer = new byte[36];
    return ethtool(ETHTOOL_GRINGPARAM, answer, "the ring sizes")
        ? new RingSizes(word(answer, 5), word(answer, 8))
        : new RingSizes(0, 0);
  }

  /** Frames given to it to transmit that it dropped, since it exists. */
  public long transmitDrops() throws ErrnoException {
    String name = name();
    // Of the calling thread's namespace, which /proc/net need not be.
    Path table = Path.of("/proc/thread-self/net/dev");
    try {
      for (String line : Files.readAllLines(table, StandardCharsets.ISO_8859_1)) {
        // name: 8 numbers of receiving, then bytes, packets, errs, drop, ... of transmitting.
        int colon = line.lastIndexOf(':');
        if (colon >= 0 && line.substring(0, colon).strip().equals(name)) {
          return Long.parseLong(line.substring(colon + 1).strip().split(" +", -1)[11]);
        }
      }
    } catch (IOException | RuntimeException e) {
      throw new ErrnoException("read the statistics of " + name + " in " + table, Errno.EIO);
    }
    throw new ErrnoException("find " + name + " in " + table, Errno.ENODEV);
  }

  /** What of the frames' work is on now. */
  public Set<NetOffload> offloads() throws ErrnoException {
    EnumSet<NetOffload> on = EnumSet.noneOf(NetOffload.class);
    for (NetOffload offload : NetOffload.values()) {
      byte[] answer = new byte[8];
      if (ethtool(offload.get, answer, "the offloads") && isOn(offload, word(answer, 1))) {
        on.add(offload);
      }
    }
    return on;
  }

  private static boolean isOn(NetOffload offload, int answer) {
    return (offload.flag == 0 ? answer : answer & offload.flag) != 0;
  }

  /**
   * Switches one on or off.
   *
   * @throws ErrnoException EOPNOTSUPP when this device can't be without it, or with it
   */
  public void setOffload(NetOffload offload, boolean on) throws ErrnoException {
    int value = on ? 1 : 0;
    if (offload.flag != 0) {
      byte[] answer = new byte[8];
      if (!ethtool(offload.get, answer, "the offloads")) {
        throw new ErrnoException("ethtool -K " + name() + " " + offload.word(), Errno.EOPNOTSUPP);
      }
      int flags = word(answer, 1);
      value = on ? flags | offload.flag : flags & ~offload.flag;
    }
    byte[] order = new byte[8];
    InterfaceRequest.putInt(order, 4, value);
    InterfaceRequest request = request();
    String what = "ethtool -K " + request.name() + " " + offload.word() + (on ? " on" : " off");
    InterfaceRequest.putInt(order, 0, offload.set);
    request.sendWithStructure(SIOCETHTOOL, order, what);
    if (offloads().contains(offload) != on) {
      throw new ErrnoException(what, Errno.EOPNOTSUPP);
    }
  }

  private static int word(byte[] answer, int number) {
    return InterfaceRequest.getInt(answer, 4 * number);
  }

  /** False when the driver does not know the question. */
  private boolean ethtool(int command, byte[] structure, String what) throws ErrnoException {
    InterfaceRequest request = request();
    InterfaceRequest.putInt(structure, 0, command);
    try {
      request.sendWithStructure(
          SIOCETHTOOL, structure, "ask for " + what + " of " + request.name());
      return true;
    } catch (ErrnoException e) {
      if (e.errno() == Errno.EOPNOTSUPP || e.errno() == Errno.EINVAL) {
        return false;
      }
      throw e;
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof NetDevice device && device.index == index;
  }

  @Override
  public int hashCode() {
    return index;
  }

  @Override
  public String toString() {
    return "network device " + index;
  }
}
