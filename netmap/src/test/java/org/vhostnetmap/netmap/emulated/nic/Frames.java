// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.HexFormat;

/** Frames as bytes, and what a test asks of them. */
final class Frames {
  private Frames() {}

  static byte[] of(String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    return bytes.length < 60 ? java.util.Arrays.copyOf(bytes, 60) : bytes;
  }

  /** ethertype, or 0 for less than a header. */
  static int type(byte[] frame) {
    return frame.length < 14 ? 0 : word(frame, 12);
  }

  static int word(byte[] frame, int at) {
    return ((frame[at] & 0xff) << 8) | (frame[at + 1] & 0xff);
  }

  static String mac(byte[] frame, int at) {
    return HexFormat.of().formatHex(frame, at, at + 6);
  }

  /** Who has {@code ip}? */
  static byte[] arpRequest(String mac, String senderIp, String ip) {
    return of(
        "ffffffffffff"
            + mac
            + "0806 0001 0800 06 04 0001"
            + mac
            + hex(senderIp)
            + "000000000000"
            + hex(ip));
  }

  static String hex(String ip) {
    StringBuilder hex = new StringBuilder();
    for (String part : ip.split("\\.", -1)) {
      hex.append(HexFormat.of().toHexDigits((byte) Integer.parseInt(part)));
    }
    return hex.toString();
  }

  /** An echo request with the right checksums. */
  static byte[] ping(String to, String from, String toIp, String fromIp, int dataBytes) {
    byte[] frame = new byte[14 + 20 + 8 + dataBytes];
    byte[] header =
        HexFormat.of()
            .parseHex(
                to
                    + from
                    + "0800"
                    + "4500"
                    + "0000"
                    + "0001"
                    + "4000"
                    + "4001"
                    + "0000"
                    + hex(fromIp)
                    + hex(toIp)
                    + "0800"
                    + "0000"
                    + "1234"
                    + "0001");
    System.arraycopy(header, 0, frame, 0, header.length);
    put(frame, 16, frame.length - 14);
    put(frame, 24, ~sum(frame, 14, 20, 0) & 0xffff);
    put(frame, 36, ~sum(frame, 34, frame.length - 34, 0) & 0xffff);
    return frame;
  }

  /** A UDP datagram over IPv4; its checksum is right. */
  static byte[] udp(String to, String from, String toIp, String fromIp, int port, int dataBytes) {
    byte[] frame = new byte[14 + 20 + 8 + dataBytes];
    String ports =
        HexFormat.of().toHexDigits((short) 4000) + HexFormat.of().toHexDigits((short) port);
    byte[] header =
        HexFormat.of()
            .parseHex(
                to
                    + from
                    + "0800"
                    + "4500"
                    + "0000"
                    + "0001"
                    + "4000"
                    + "4011"
                    + "0000"
                    + hex(fromIp)
                    + hex(toIp)
                    + ports);
    System.arraycopy(header, 0, frame, 0, header.length);
    put(frame, 16, frame.length - 14);
    put(frame, 24, ~sum(frame, 14, 20, 0) & 0xffff);
    put(frame, 38, frame.length - 34);
    put(frame, 40, ~transportSum(frame, 14) & 0xffff);
    return frame;
  }

  static void put(byte[] frame, int at, int word) {
    frame[at] = (byte) (word >> 8);
    frame[at + 1] = (byte) word;
  }

  /** 0xffff when the transport checksum of an IPv4 packet at {@code ip} is right. */
  static int transportSum(byte[] frame, int ip) {
    int header = 4 * (frame[ip] & 0xf);
    int length = word(frame, ip + 2) - header;
    int pseudo = sum(frame, ip + 12, 8, (frame[ip + 9] & 0xff) + length);
    return sum(frame, ip + header, length, pseudo);
  }

  static int sum(byte[] bytes, int from, int length, int start) {
    int sum = start;
    for (int i = 0; i < length; i++) {
      int octet = bytes[from + i] & 0xff;
      sum += (i & 1) == 0 ? octet << 8 : octet;
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return sum;
  }
}
