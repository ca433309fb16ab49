// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * NIOCREGIF and NIOCGINFO with one {@code struct nmreq} of 60 bytes: all there is on modules from
 * before 2018, and still understood by those of today. Knows no number of host rings, no pools,
 * names of at most 15 bytes, and no memory of 4 GiB or more.
 */
final class LegacyControl implements Control {
  private static final int VERSION = 16;
  private static final int OFFSET = 20;
  private static final int MEMSIZE = 24;
  private static final int TX_SLOTS = 28;
  private static final int RX_SLOTS = 32;
  private static final int TX_RINGS = 36;
  private static final int RX_RINGS = 38;
  private static final int RINGID = 40;
  private static final int CMD = 42;
  private static final int ARG1 = 44;
  private static final int ARG2 = 46;
  private static final int ARG3 = 48;
  private static final int FLAGS = 52;

  private static final int BDG_ATTACH = 1;
  private static final int BDG_DETACH = 2;
  private static final int BDG_LIST = 4;
  private static final int BDG_VNET_HDR = 5;
  private static final int BDG_NEWIF = 6;
  private static final int BDG_DELIF = 7;
  private static final int VNET_HDR_GET = 12;

  /** In nr_arg1 of BDG_ATTACH: the host rings as well. */
  private static final int BDG_HOST = 1;

  /** In nr_ringid. */
  private static final int NO_TX_POLL = 0x1000;

  /** In nr_flags, with the pipe's number in nr_ringid and its base alone as the name. */
  private static final int PIPE_MASTER = 5;

  private static final int PIPE_SLAVE = 6;

  /** Names with a brace, and so other ids than numbers, came with NIOCCTRL. */
  private static final Pattern NUMBERED_PIPE = Pattern.compile("(.+)([{}])([0-9]{1,3})");

  private static final int MOST_VALE_PORTS = 65536;

  private final NetmapCalls calls;

  LegacyControl(NetmapCalls calls) {
    this.calls = calls;
  }

  @Override
  public String language() {
    return "NIOCREGIF";
  }

  /** Whether this kernel understands it: asks for the global memory, which changes nothing. */
  static boolean speaks(NetmapCalls calls, int fd) throws NetmapException {
    try (ControlMessage message = message("", 0)) {
      return calls.ioctl(fd, NetmapCalls.NIOCGINFO, message.body()) >= 0;
    }
  }

  private static ControlMessage message(String name, int command) throws NetmapException {
    return ControlMessage.legacy(name)
        .putInt(VERSION, ControlMessage.NETMAP_API)
        .putShort(CMD, command);
  }

  private void send(
      int fd, long ioctl, RequestType type, ControlMessage message, RegisterRequest request)
      throws NetmapException {
    int result = calls.ioctl(fd, ioctl, message.body());
    if (result < 0) {
      throw Refusals.of(type, request, -result);
    }
  }

  @Override
  public Registered register(int fd, RegisterRequest request) throws NetmapException {
    refuseHostRings(request);
    Matcher pipe = NUMBERED_PIPE.matcher(request.name());
    boolean numbered = pipe.matches();
    try (ControlMessage message = message(numbered ? pipe.group(1) : request.name(), 0)) {
      putRegister(message, request);
      if (numbered) {
        message.putShort(RINGID, Integer.parseInt(pipe.group(3)) | NO_TX_POLL);
        int mode = pipe.group(2).equals("{") ? PIPE_MASTER : PIPE_SLAVE;
        message.putInt(FLAGS, flags(request) | mode);
      }
      send(fd, NetmapCalls.NIOCREGIF, RequestType.REGISTER, message, request);
      long offset = message.getInt(OFFSET) & 0xffffffffL;
      return new Registered(offset, info(message), message.getInt(ARG3));
    }
  }

  private static void refuseHostRings(RegisterRequest request) throws NetmapException {
    if (request.hostTxRings() > 1
        || request.hostRxRings() > 1
        || request.mode() == PortMode.ONE_HOST
        || request.mode() == PortMode.NULL) {
      throw new NetmapException(
          "this kernel's netmap is from before NIOCCTRL: it has one host ring pair, opened by ^",
          Errno.EOPNOTSUPP);
    }
  }

  private static void putRegister(ControlMessage message, RegisterRequest request) {
    message
        .putInt(TX_SLOTS, request.txSlots())
        .putInt(RX_SLOTS, request.rxSlots())
        .putShort(TX_RINGS, request.txRings())
        .putShort(RX_RINGS, request.rxRings())
        .putShort(RINGID, request.ringId() | NO_TX_POLL)
        .putShort(ARG2, request.memoryId())
        .putInt(ARG3, request.extraBuffers())
        .putInt(FLAGS, request.mode().code() | flags(request));
  }

  private static int flags(RegisterRequest request) {
    return (int) (request.flags() & ~NetmapAbi.NR_NO_TX_POLL);
  }

  private static PortInfo info(ControlMessage message) {
    return new PortInfo(
        message.getShort(TX_RINGS),
        message.getShort(RX_RINGS),
        1,
        1,
        message.getInt(TX_SLOTS),
        message.getInt(RX_SLOTS),
        message.getShort(ARG2),
        message.getInt(MEMSIZE) & 0xffffffffL);
  }

  @Override
  public PortInfo portInfo(int fd, String name, int memoryId) throws NetmapException {
    try (ControlMessage message = message(name, 0).putShort(ARG2, memoryId)) {
      RegisterRequest asked = RegisterRequest.of(name).inMemory(memoryId);
      send(fd, NetmapCalls.NIOCGINFO, RequestType.PORT_INFO_GET, message, asked);
      return info(message);
    }
  }

  @Override
  public int attach(int fd, RegisterRequest request) throws NetmapException {
    try (ControlMessage message = message(request.name(), BDG_ATTACH)) {
      putRegister(message, request);
      message.putShort(ARG1, request.mode() == PortMode.NIC_AND_HOST ? BDG_HOST : 0);
      send(fd, NetmapCalls.NIOCREGIF, RequestType.VALE_ATTACH, message, request);
    }
    for (ValePort port : valePorts(fd)) {
      if (port.name().equals(request.name())) {
        return port.portIndex();
      }
    }
    return 0;
  }

  @Override
  public void detach(int fd, String name) throws NetmapException {
    try (ControlMessage message = message(name, BDG_DETACH)) {
      send(fd, NetmapCalls.NIOCREGIF, RequestType.VALE_DETACH, message, RegisterRequest.of(name));
    }
  }

  @Override
  public List<ValePort> valePorts(int fd) throws NetmapException {
    List<ValePort> ports = new ArrayList<>();
    int bridge = 0;
    int port = 0;
    while (ports.size() < MOST_VALE_PORTS) {
      try (ControlMessage message =
          message("", BDG_LIST).putShort(ARG1, bridge).putShort(ARG2, port)) {
        int result = calls.ioctl(fd, NetmapCalls.NIOCGINFO, message.body());
        if (result == -Errno.ENOENT) {
          break;
        }
        if (result < 0) {
          throw Refusals.of(RequestType.VALE_LIST, RegisterRequest.of(""), -result);
        }
        bridge = message.getShort(ARG1);
        port = message.getShort(ARG2);
        ports.add(new ValePort(message.legacyName(), bridge, port));
        port++;
      }
    }
    return ports;
  }

  @Override
  public void setHeaderLength(int fd, String name, int bytes) throws NetmapException {
    try (ControlMessage message = message(name, BDG_VNET_HDR).putShort(ARG1, bytes)) {
      send(fd, NetmapCalls.NIOCREGIF, RequestType.PORT_HDR_SET, message, RegisterRequest.of(name));
    }
  }

  @Override
  public int headerLength(int fd, String name) throws NetmapException {
    try (ControlMessage message = message(name, VNET_HDR_GET)) {
      send(fd, NetmapCalls.NIOCREGIF, RequestType.PORT_HDR_GET, message, RegisterRequest.of(name));
      return message.getShort(ARG1);
    }
  }

  @Override
  public void createInterface(int fd, RegisterRequest request) throws NetmapException {
    try (ControlMessage message = message(request.name(), BDG_NEWIF)) {
      putRegister(message, request);
      send(fd, NetmapCalls.NIOCREGIF, RequestType.VALE_NEWIF, message, request);
    }
  }

  @Override
  public void deleteInterface(int fd, String name) throws NetmapException {
    try (ControlMessage message = message(name, BDG_DELIF)) {
      send(fd, NetmapCalls.NIOCREGIF, RequestType.VALE_DELIF, message, RegisterRequest.of(name));
    }
  }

  @Override
  public MemoryPools pools(int fd, String name) throws NetmapException {
    throw new NetmapException(
        "this kernel's netmap is from before NIOCCTRL: it does not tell its pools",
        Errno.EOPNOTSUPP);
  }
}
