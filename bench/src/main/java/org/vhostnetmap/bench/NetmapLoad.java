// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.nic.NicQueues;
import org.vhostnetmap.netmap.emulated.nic.PacketQueues;
import org.vhostnetmap.netmap.emulated.nic.XdpFactory;

/**
 * Sends or receives through one netmap port as fast as it can and never sleeps, as testpmd's txonly
 * and rxonly do. Each line on standard input is answered with the frames so far; its end ends the
 * program.
 */
public final class NetmapLoad {
  /** As many as the bridge moves at once. */
  private static final int BURST = 64;

  /** Ethernet, IPv4, UDP. */
  private static final int HEADERS = 42;

  private final NetmapPort port;
  private final int length;
  private final Mapping template;

  /** Written by the one thread that moves frames. */
  private volatile long frames;

  private NetmapLoad(NetmapPort port, int length) throws IOException {
    this.port = port;
    this.length = length;
    template = Mapping.anonymous(4096);
    writeHeaders(template.address(), length);
  }

  /** Arguments: a NIC, AF_XDP or AF_PACKET, tx or rx, and the bytes of a frame to send. */
  public static void main(String[] arguments) throws Exception {
    NicQueues.Factory way = arguments[1].equals("AF_XDP") ? new XdpFactory() : PacketQueues.FACTORY;
    try (NetmapDevice device = Netmap.emulated(Pool.Geometry.GLOBAL, List.of(way));
        NetmapPort port = device.register(RegisterRequest.of(arguments[0]))) {
      System.out.println("ready: " + port.description());
      NetmapLoad load = new NetmapLoad(port, Integer.parseInt(arguments[3]));
      boolean sends = arguments[2].equals("tx");
      Thread.ofPlatform().daemon().name("load").start(sends ? load::send : load::receive);
      BufferedReader questions =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      while (questions.readLine() != null) {
        System.out.println(load.frames);
      }
      // Not by closing the port: the other thread is in its rings.
      Runtime.getRuntime().halt(0);
    }
  }

  /** From 10.0.0.1 to 10.0.0.2, port 9, to an address that is nobody's; no UDP checksum. */
  private static void writeHeaders(long at, int length) {
    Memory.putLong(at, 0x0002_0200_0000_0002L);
    Memory.putInt(at + 8, 0x01000000);
    Memory.putShort(at + 12, 0x0008);
    Memory.putShort(at + 14, 0x0045);
    Memory.putShort(at + 16, Short.toUnsignedInt(Short.reverseBytes((short) (length - 14))));
    Memory.putShort(at + 22, 0x1140);
    Memory.putInt(at + 26, 0x0100000a);
    Memory.putInt(at + 30, 0x0200000a);
    Memory.putInt(at + 34, 0x09000900);
    Memory.putShort(at + 38, Short.toUnsignedInt(Short.reverseBytes((short) (length - 34))));
  }

  private void send() {
    NetmapRing ring = port.txRings().get(0);
    long sum = 0;
    while (true) {
      int count = Math.min(BURST, ring.space());
      int slot = ring.head();
      for (int i = 0; i < count; i++) {
        Memory.copy(template.address(), ring.buffer(slot), HEADERS);
        ring.set(slot, length, 0);
        slot = ring.after(slot, 1);
      }
      ring.advanceTo(slot);
      port.txSync();
      sum += count;
      frames = sum;
    }
  }

  private void receive() {
    NetmapRing ring = port.rxRings().get(0);
    long sum = 0;
    while (true) {
      port.rxSync();
      int count = ring.space();
      ring.advanceTo(ring.after(ring.head(), count));
      sum += count;
      frames = sum;
    }
  }
}
