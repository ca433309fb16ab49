// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A finished TCP segment on its way to a guest, made and cut byte by byte; nothing here is shared
 * with the code under test. A test changes fields, {@link #frame} says what that looks like.
 */
final class Segment implements Cloneable {
  static final int FIN = 1;
  static final int SYN = 2;
  static final int RST = 4;
  static final int PSH = 8;
  static final int ACK = 16;
  static final int URG = 32;
  static final int ECE = 64;
  static final int CWR = 128;

  boolean ipv6;
  long destination = Frames.mac(2);
  long source = Frames.mac(1);
  int vlan = -1;
  int trafficClass;
  int flowLabel = 0x12345;
  int hops = 64;
  int id = 100;
  int fragment = 0x4000; // DF
  int host = 1;
  int port = 4000;
  int sequence = 1000;
  int acknowledgement = 77;
  int flags = ACK;
  int reserved;
  int window = 512;
  int urgent;
  byte[] options = new byte[0];
  byte[] data = new byte[0];
  int padding; // bytes of the frame behind the packet
  boolean badIpChecksum;
  boolean badTcpChecksum;
  boolean ipOptions; // IPv4 options, or an IPv6 extension header

  static Segment of(boolean ipv6, int dataBytes, int pattern) {
    Segment segment = new Segment();
    segment.ipv6 = ipv6;
    segment.data = new byte[dataBytes];
    for (int i = 0; i < dataBytes; i++) {
      segment.data[i] = (byte) (i * 7 + pattern * 13);
    }
    return segment;
  }

  /** A copy that goes on where this one ends, with so many bytes of its own. */
  Segment next(int dataBytes) {
    Segment next = copy();
    next.sequence += data.length;
    next.id = (id + 1) & 0xffff;
    next.data = of(ipv6, dataBytes, next.sequence).data;
    return next;
  }

  Segment copy() {
    try {
      return (Segment) clone();
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  int ip() {
    return vlan < 0 ? 14 : 18;
  }

  int transport() {
    return ip() + (ipv6 ? 40 : 20) + (ipOptions ? 8 : 0);
  }

  int headers() {
    return transport() + 20 + options.length;
  }

  byte[] frame() {
    ByteBuffer out = ByteBuffer.allocate(headers() + data.length + padding);
    out.putShort((short) (destination >>> 32)).putInt((int) destination);
    out.putShort((short) (source >>> 32)).putInt((int) source);
    if (vlan >= 0) {
      out.putShort((short) 0x8100).putShort((short) vlan);
    }
    int tcp = 20 + options.length + data.length;
    if (ipv6) {
      out.putShort((short) 0x86dd);
      out.putInt(6 << 28 | trafficClass << 20 | flowLabel);
      out.putShort((short) (tcp + (ipOptions ? 8 : 0)));
      out.put((byte) (ipOptions ? 60 : 6)).put((byte) hops);
      out.putLong(0xfd00L << 48).putLong(host).putLong(0xfd00L << 48).putLong(2);
      if (ipOptions) {
        out.put((byte) 6).put(new byte[7]);
      }
    } else {
      out.putShort((short) 0x0800).put((byte) (ipOptions ? 0x47 : 0x45)).put((byte) trafficClass);
      out.putShort((short) (transport() - ip() + tcp)).putShort((short) id);
      out.putShort((short) fragment).put((byte) hops).put((byte) 6).putShort((short) 0);
      out.putInt(0xc6120000 | host).putInt(0xc6120002).put(new byte[ipOptions ? 8 : 0]);
    }
    out.putShort((short) port).putShort((short) 80).putInt(sequence).putInt(acknowledgement);
    out.put((byte) ((5 + options.length / 4) << 4 | reserved)).put((byte) flags);
    out.putShort((short) window).putShort((short) 0).putShort((short) urgent);
    byte[] frame = out.put(options).put(data).array();
    complete(frame, ip(), transport(), ipv6, frame.length - padding);
    spoil(frame, badIpChecksum, ip() + 10);
    spoil(frame, badTcpChecksum, transport() + 16);
    return frame;
  }

  private static void spoil(byte[] frame, boolean bad, int at) {
    if (bad) {
      frame[at] ^= 0x20;
    }
  }

  /** Puts both checksums in. */
  private static void complete(byte[] frame, int ip, int transport, boolean ipv6, int end) {
    if (!ipv6) {
      put(frame, ip + 10, 0);
      put(frame, ip + 10, ~Packet.sum(frame, ip, transport, 0));
    }
    put(frame, transport + 16, 0);
    int pseudo = pseudo(frame, ip, transport, ipv6, end);
    put(frame, transport + 16, ~Packet.sum(frame, transport, end, pseudo));
  }

  static int pseudo(byte[] frame, int ip, int transport, boolean ipv6, int end) {
    int addresses = ip + (ipv6 ? 8 : 12);
    return Packet.sum(frame, addresses, addresses + (ipv6 ? 32 : 8), 6 + end - transport);
  }

  private static void put(byte[] frame, int at, int value) {
    frame[at] = (byte) (value >>> 8);
    frame[at + 1] = (byte) value;
  }

  /**
   * What the wire would see of a packet: cut by its virtio-net header (VIRTIO 1.3, 5.1.6), or the
   * frame itself when the header asks for nothing.
   *
   * @param fixedIds the IPv4 identification is the same in all, as it was before they were merged
   */
  static List<byte[]> cut(byte[] header, byte[] frame, boolean fixedIds) {
    if (header[0] == 0 && header[1] == 0) {
      return List.of(frame);
    }
    boolean ipv6 = header[1] == 4;
    int headers = little(header, 2);
    int size = little(header, 4);
    int transport = little(header, 6);
    int ip = transport - (ipv6 ? 40 : 20);
    List<byte[]> all = new ArrayList<>();
    for (int at = headers; at < frame.length; at += size) {
      int bytes = Math.min(size, frame.length - at);
      byte[] segment = Arrays.copyOf(frame, headers + bytes);
      System.arraycopy(frame, at, segment, headers, bytes);
      ByteBuffer words = ByteBuffer.wrap(segment);
      if (ipv6) {
        words.putShort(ip + 4, (short) (segment.length - ip - 40));
      } else {
        words.putShort(ip + 2, (short) (segment.length - ip));
        int id = words.getShort(ip + 4) + (fixedIds ? 0 : all.size());
        words.putShort(ip + 4, (short) id);
      }
      words.putInt(transport + 4, words.getInt(transport + 4) + at - headers);
      if (at + bytes < frame.length) {
        segment[transport + 13] &= ~PSH;
      }
      complete(segment, ip, transport, ipv6, segment.length);
      all.add(segment);
    }
    return all;
  }

  static int little(byte[] bytes, int at) {
    return (bytes[at] & 0xff) | (bytes[at + 1] & 0xff) << 8;
  }
}
