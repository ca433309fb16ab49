// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.nio.ByteBuffer;

/**
 * Frames that can be told apart, for tests. MAC addresses are written as on the wire, first byte
 * highest.
 */
final class Frames {
  static final long BROADCAST = 0xffff_ffff_ffffL;

  private Frames() {}

  /** The locally administered address number {@code n}. */
  static long mac(int n) {
    return 0x0200_0000_0000L | (n & 0xffffffffL);
  }

  /** An address as MacTable has it: first byte lowest. */
  static long key(long mac) {
    return Long.reverseBytes(mac) >>> 16;
  }

  /**
   * An Ethernet frame whose payload begins with {@code number} and goes on with a pattern made from
   * it.
   */
  static byte[] frame(long destination, long source, int length, int number) {
    byte[] frame = new byte[length];
    for (int i = 0; i < length; i++) {
      frame[i] = (byte) (number * 31 + i * 7);
    }
    for (int i = 0; i < 6 && i < length; i++) {
      frame[i] = (byte) (destination >>> (40 - 8 * i));
    }
    for (int i = 6; i < 12 && i < length; i++) {
      frame[i] = (byte) (source >>> (88 - 8 * i));
    }
    if (length >= 18) {
      ByteBuffer.wrap(frame).putShort(12, (short) 0x88b5).putInt(14, number);
    }
    return frame;
  }

  /** The number of a frame of 18 bytes or more. */
  static int number(byte[] frame) {
    return ByteBuffer.wrap(frame).getInt(14);
  }

  /** The destination of a frame. */
  static long destination(byte[] frame) {
    return ByteBuffer.wrap(frame).getLong(0) >>> 16;
  }
}
