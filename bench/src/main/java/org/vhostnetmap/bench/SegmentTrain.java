// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.nio.ByteBuffer;

/** TCP segments over IPv4 of one flow, finished, each going on where the one before ended. */
final class SegmentTrain {
  private static final int IP = 14;
  private static final int TCP = IP + 20;
  private static final int DATA = TCP + 20;

  private SegmentTrain() {}

  /** So many of them with so many bytes of data each. */
  static byte[][] of(int count, int bytes) {
    byte[][] train = new byte[count][];
    for (int i = 0; i < count; i++) {
      ByteBuffer frame = ByteBuffer.allocate(DATA + bytes);
      frame.putLong(0x0200_0000_0002_0200L).putInt(1).putShort((short) 0x0800);
      frame.putShort((short) 0x4500).putShort((short) (DATA - IP + bytes)).putShort((short) i);
      frame.putShort((short) 0x4000).putShort((short) (64 << 8 | 6)).putShort((short) 0);
      frame.putInt(0xc6120001).putInt(0xc6120002); // RFC 2544
      frame.putShort((short) 4000).putShort((short) 9).putInt(i * bytes).putInt(1);
      frame.putShort((short) (5 << 12 | 16)).putShort((short) 512);
      frame.putShort(IP + 10, (short) ~sum(frame, IP, TCP, 0));
      int pseudoHeader = sum(frame, IP + 12, TCP, 6 + frame.capacity() - TCP);
      frame.putShort(TCP + 16, (short) ~sum(frame, TCP, frame.capacity(), pseudoHeader));
      train[i] = frame.array();
    }
    return train;
  }

  /** RFC 1071, of an even number of bytes. */
  private static int sum(ByteBuffer frame, int from, int to, int start) {
    int sum = start;
    for (int at = from; at < to; at += 2) {
      sum += frame.getShort(at) & 0xffff;
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return sum;
  }
}
