// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Ethernet frames for tests. */
final class Frames {
  static final long BROADCAST = 0xffff_ffff_ffffL;
  static final int SHORTEST = 60;
  private static final int ETHERNET = 14;
  private static final int NUMBER = ETHERNET;

  /** Local experiments. */
  private static final int ETHERTYPE = 0x88b5;

  private Frames() {}

  /** A locally administered address. */
  static long mac(int number) {
    return 0x0200_0000_0000L | number;
  }

  /** A frame of 60 bytes with a number in it. */
  static byte[] numbered(long to, long from, int number) {
    return numbered(to, from, number, SHORTEST);
  }

  static byte[] numbered(long to, long from, int number, int length) {
    byte[] frame = new byte[length];
    Arrays.fill(frame, (byte) number);
    header(frame, to, from, ETHERTYPE).putInt(NUMBER, number);
    return frame;
  }

  static int number(byte[] frame) {
    return ByteBuffer.wrap(frame).getInt(NUMBER);
  }

  static long source(byte[] frame) {
    return ByteBuffer.wrap(frame).getLong(4) & 0xffff_ffff_ffffL;
  }

  private static ByteBuffer header(byte[] frame, long to, long from, int type) {
    ByteBuffer fields = ByteBuffer.wrap(frame);
    return fields
        .putLong(0, to << 16 | from >> 32)
        .putInt(8, (int) from)
        .putShort(12, (short) type);
  }

  /** An IPv4 frame with TCP, as a driver leaves it to a device that does checksum and segments. */
  static byte[] unfinishedTcp(long to, long from, int payload) {
    byte[] frame = new byte[ETHERNET + 20 + 20 + payload];
    ByteBuffer fields = header(frame, to, from, 0x0800);
    fields.put(14, (byte) 0x45).putShort(16, (short) (40 + payload)).put(22, (byte) 64);
    fields.put(23, (byte) 6).putInt(26, 0x0a4d0001).putInt(30, 0x0a4d0002);
    fields.putShort(24, (short) ~sum(frame, 14, 20, 0));
    fields.putShort(34, (short) 1234).putShort(36, (short) 80).putInt(38, 1_000_000);
    fields.put(46, (byte) 0x50).put(47, (byte) 0x10).putShort(48, (short) 0x7fff);
    for (int i = 0; i < payload; i++) {
      frame[54 + i] = (byte) (i * 7);
    }
    fields.putShort(50, (short) pseudoHeader(frame));
    return frame;
  }

  private static int pseudoHeader(byte[] frame) {
    int length = (ByteBuffer.wrap(frame).getShort(16) & 0xffff) - 20;
    return sum(frame, 26, 8, (frame[23] & 0xff) + length);
  }

  /** Whether the checksums of IPv4 and of TCP or UDP in a frame are what they should be. */
  static boolean checksumsRight(byte[] frame) {
    int length = ByteBuffer.wrap(frame).getShort(16) & 0xffff;
    return sum(frame, 14, 20, 0) == 0xffff
        && sum(frame, 34, length - 20, pseudoHeader(frame)) == 0xffff;
  }

  static int tcpSequence(byte[] frame) {
    return ByteBuffer.wrap(frame).getInt(38);
  }

  static byte[] tcpPayload(byte[] frame) {
    int length = ByteBuffer.wrap(frame).getShort(16) & 0xffff;
    return Arrays.copyOfRange(frame, 54, 14 + length);
  }

  /** The one's complement sum of big-endian halves, folded. */
  static int sum(byte[] bytes, int from, int length, int start) {
    int sum = start;
    for (int i = 0; i < length; i++) {
      int value = bytes[from + i] & 0xff;
      sum += i % 2 == 0 ? value << 8 : value;
    }
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return sum;
  }

  /** A virtio-net header of 12 bytes before a frame. */
  static byte[] withHeader(int gsoType, int gsoSize, byte[] frame) {
    ByteBuffer header =
        ByteBuffer.allocate(12 + frame.length).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    header.put((byte) 1).put((byte) gsoType).putShort((short) 54).putShort((short) gsoSize);
    header.putShort((short) 34).putShort((short) 16).putShort((short) 0).put(frame);
    return header.array();
  }
}
