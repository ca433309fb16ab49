// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/** NIOCCTRL, since 2018. Offsets in {@link ControlMessage}'s body are those of the ABI. */
final class CurrentControl implements Control {
  /** {@code nr_port_idx} and {@code nr_bridge_idx} of one VALE port: more than there can be. */
  private static final int MOST_VALE_PORTS = 65536;

  private final NetmapCalls calls;

  CurrentControl(NetmapCalls calls) {
    this.calls = calls;
  }

  @Override
  public String language() {
    return "NIOCCTRL";
  }

  /**
   * Whether this kernel understands NIOCCTRL: asks for the global memory, which changes nothing.
   */
  static boolean speaks(NetmapCalls calls, int fd) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.PORT_INFO_GET, "")) {
      return calls.ioctl(fd, NetmapCalls.NIOCCTRL, message.header()) >= 0;
    }
  }

  private void send(int fd, RequestType type, ControlMessage message, RegisterRequest request)
      throws NetmapException {
    int result = calls.ioctl(fd, NetmapCalls.NIOCCTRL, message.header());
    if (result < 0) {
      throw Refusals.of(type, request, -result);
    }
  }

  @Override
  public Registered register(int fd, RegisterRequest request) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.REGISTER, request.name())) {
      putRegister(message, request);
      send(fd, RequestType.REGISTER, message, request);
      PortInfo info =
          new PortInfo(
              message.getShort(24),
              message.getShort(26),
              message.getShort(28),
              message.getShort(30),
              message.getInt(16),
              message.getInt(20),
              message.getShort(32),
              message.getLong(8));
      return new Registered(message.getLong(0), info, message.getInt(40));
    }
  }

  /** {@code struct nmreq_register}. */
  private static void putRegister(ControlMessage message, RegisterRequest request) {
    message
        .putInt(16, request.txSlots())
        .putInt(20, request.rxSlots())
        .putShort(24, request.txRings())
        .putShort(26, request.rxRings())
        .putShort(28, request.hostTxRings())
        .putShort(30, request.hostRxRings())
        .putShort(32, request.memoryId())
        .putShort(34, request.ringId())
        .putInt(36, request.mode().code())
        .putInt(40, request.extraBuffers())
        // A poll that transmits would do so in the midst of our filling the ring.
        .putLong(48, request.flags() | NetmapAbi.NR_NO_TX_POLL);
  }

  @Override
  public PortInfo portInfo(int fd, String name, int memoryId) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.PORT_INFO_GET, name)) {
      message.putShort(24, memoryId);
      RegisterRequest asked = RegisterRequest.of(name).inMemory(memoryId);
      send(fd, RequestType.PORT_INFO_GET, message, asked);
      return new PortInfo(
          message.getShort(16),
          message.getShort(18),
          message.getShort(20),
          message.getShort(22),
          message.getInt(8),
          message.getInt(12),
          message.getShort(24),
          message.getLong(0));
    }
  }

  @Override
  public int attach(int fd, RegisterRequest request) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.VALE_ATTACH, request.name())) {
      putRegister(message, request);
      send(fd, RequestType.VALE_ATTACH, message, request);
      return message.getInt(56);
    }
  }

  @Override
  public void detach(int fd, String name) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.VALE_DETACH, name)) {
      send(fd, RequestType.VALE_DETACH, message, RegisterRequest.of(name));
    }
  }

  @Override
  public List<ValePort> valePorts(int fd) throws NetmapException {
    List<ValePort> ports = new ArrayList<>();
    int bridge = 0;
    int port = 0;
    while (ports.size() < MOST_VALE_PORTS) {
      try (ControlMessage message = ControlMessage.of(RequestType.VALE_LIST, "")) {
        message.putShort(0, bridge).putInt(4, port);
        int result = calls.ioctl(fd, NetmapCalls.NIOCCTRL, message.header());
        if (result == -Errno.ENOENT) {
          break; // no port from these indexes on
        }
        if (result < 0) {
          throw Refusals.of(RequestType.VALE_LIST, RegisterRequest.of(""), -result);
        }
        bridge = message.getShort(0);
        port = message.getInt(4);
        ports.add(new ValePort(message.name(), bridge, port));
        port++;
      }
    }
    return ports;
  }

  @Override
  public void setHeaderLength(int fd, String name, int bytes) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.PORT_HDR_SET, name)) {
      message.putInt(0, bytes);
      send(fd, RequestType.PORT_HDR_SET, message, RegisterRequest.of(name));
    }
  }

  @Override
  public int headerLength(int fd, String name) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.PORT_HDR_GET, name)) {
      send(fd, RequestType.PORT_HDR_GET, message, RegisterRequest.of(name));
      return message.getInt(0);
    }
  }

  @Override
  public void createInterface(int fd, RegisterRequest request) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.VALE_NEWIF, request.name())) {
      message
          .putInt(0, request.txSlots())
          .putInt(4, request.rxSlots())
          .putShort(8, request.txRings())
          .putShort(10, request.rxRings())
          .putShort(12, request.memoryId());
      send(fd, RequestType.VALE_NEWIF, message, request);
    }
  }

  @Override
  public void deleteInterface(int fd, String name) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.VALE_DELIF, name)) {
      send(fd, RequestType.VALE_DELIF, message, RegisterRequest.of(name));
    }
  }

  @Override
  public MemoryPools pools(int fd, String name) throws NetmapException {
    try (ControlMessage message = ControlMessage.of(RequestType.POOLS_INFO_GET, name)) {
      send(fd, RequestType.POOLS_INFO_GET, message, RegisterRequest.of(name));
      return new MemoryPools(
          message.getShort(8),
          message.getLong(0),
          pool(message, 16),
          pool(message, 32),
          pool(message, 48));
    }
  }

  private static MemoryPools.Pool pool(ControlMessage message, int offset) {
    return new MemoryPools.Pool(
        message.getLong(offset), message.getInt(offset + 8), message.getInt(offset + 12));
  }
}
