// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import java.nio.ByteBuffer;

/** Questions to the host's stack, and its answers: ARP and ICMP echo. */
final class Arp {
  static final String HOST = "10.79.0.1";
  static final String PEER = "10.79.0.2";
  private static final int HOST_ADDRESS = 0x0a4f0001;
  private static final int PEER_ADDRESS = 0x0a4f0002;

  private Arp() {}

  /** Who has the host's address? */
  static byte[] request(long from) {
    byte[] bytes = new byte[Frames.SHORTEST];
    ByteBuffer frame = ethernet(bytes, Frames.BROADCAST, from, 0x0806);
    frame.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4);
    frame.putShort((short) 1);
    mac(frame, from).putInt(PEER_ADDRESS);
    mac(frame, 0).putInt(HOST_ADDRESS);
    return bytes;
  }

  static boolean isRequest(byte[] frame) {
    return operation(frame) == 1;
  }

  /** Of the host, with its address. */
  static boolean isReply(byte[] frame) {
    return operation(frame) == 2 && ByteBuffer.wrap(frame).getInt(28) == HOST_ADDRESS;
  }

  private static int operation(byte[] frame) {
    ByteBuffer fields = ByteBuffer.wrap(frame);
    return frame.length >= 42 && fields.getShort(12) == 0x0806 ? fields.getShort(20) : 0;
  }

  /** An echo request to the host. */
  static byte[] ping(long from, long to) {
    byte[] bytes = new byte[Frames.SHORTEST];
    ByteBuffer frame = ethernet(bytes, to, from, 0x0800);
    frame.put((byte) 0x45).put((byte) 0).putShort((short) 46).putInt(0);
    frame.put((byte) 64).put((byte) 1).putShort((short) 0);
    frame.putInt(PEER_ADDRESS).putInt(HOST_ADDRESS);
    frame.put((byte) 8).put((byte) 0).putShort((short) 0).putInt(0x00010001);
    frame.putShort(24, (short) ~Frames.sum(bytes, 14, 20, 0));
    frame.putShort(36, (short) ~Frames.sum(bytes, 34, 26, 0));
    return bytes;
  }

  /** The host's answer to that. */
  static boolean isPong(byte[] frame) {
    ByteBuffer fields = ByteBuffer.wrap(frame);
    return frame.length >= 42
        && fields.getShort(12) == 0x0800
        && frame[23] == 1
        && frame[34] == 0
        && fields.getInt(26) == HOST_ADDRESS;
  }

  private static ByteBuffer ethernet(byte[] bytes, long to, long from, int type) {
    ByteBuffer frame = ByteBuffer.wrap(bytes);
    mac(mac(frame, to), from).putShort((short) type);
    return frame;
  }

  private static ByteBuffer mac(ByteBuffer frame, long address) {
    return frame.putShort((short) (address >> 32)).putInt((int) address);
  }
}
