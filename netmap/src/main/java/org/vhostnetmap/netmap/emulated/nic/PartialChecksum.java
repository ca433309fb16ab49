// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.offload.InternetChecksum;

/**
 * Completes TCP and UDP checksums of frames whose sender left that to a device: the field then
 * holds the sum of the pseudo header only. On a real wire no such frame exists; a veth's peer hands
 * them over as they are, and XDP has no way to tell. A frame whose checksum is right already and
 * happens to look so comes out the same, since completing it gives the value it has.
 */
final class PartialChecksum {
  private static final int ETHERNET = 14;
  private static final int VLAN = 4;

  /** Ethernet types as a little-endian host loads them. */
  private static final int TYPE_IPV4 = 0x0008;

  private static final int TYPE_IPV6 = 0xdd86;
  private static final int TYPE_VLAN = 0x0081;
  private static final int TYPE_QINQ = 0xa888;

  private static final int TCP = 6;
  private static final int UDP = 17;
  private static final int IPV6_HEADER = 40;

  /** More fragments, and the offset, as a little-endian host loads them. */
  private static final int FRAGMENT = 0xff3f;

  private PartialChecksum() {}

  /** Completes the frame's checksum if it is partial; whether it was. */
  static boolean complete(long frame, int length) {
    int at = ETHERNET;
    if (length < ETHERNET + 20) {
      return false;
    }
    int type = Memory.getUnsignedShort(frame + 12);
    while ((type == TYPE_VLAN || type == TYPE_QINQ) && length >= at + VLAN + 20) {
      type = Memory.getUnsignedShort(frame + at + 2);
      at += VLAN;
    }
    if (type == TYPE_IPV4) {
      return ipv4(frame + at, length - at);
    }
    return type == TYPE_IPV6 && ipv6(frame + at, length - at);
  }

  private static boolean ipv4(long ip, int room) {
    int header = (Memory.getUnsignedByte(ip) & 0xf) * 4;
    int total = bigEndian(ip + 2);
    if (header < 20
        || total > room
        || total < header
        || (Memory.getUnsignedShort(ip + 6) & FRAGMENT) != 0) {
      return false;
    }
    return transport(ip, ip + header, total - header, Memory.getUnsignedByte(ip + 9), 12);
  }

  private static boolean ipv6(long ip, int room) {
    int payload = room < IPV6_HEADER ? room : bigEndian(ip + 4);
    if (payload > room - IPV6_HEADER) {
      return false;
    }
    return transport(ip, ip + IPV6_HEADER, payload, Memory.getUnsignedByte(ip + 6), 8);
  }

  private static boolean transport(long ip, long segment, int length, int protocol, int addresses) {
    int field;
    if (protocol == TCP && length >= 20) {
      field = 16;
    } else if (protocol == UDP && length >= 8) {
      field = 6;
    } else {
      return false;
    }
    int bytes = addresses == 8 ? 32 : 8;
    int pseudo = InternetChecksum.pseudoHeader(ip + addresses, bytes, protocol, length);
    if (Memory.getUnsignedShort(segment + field) != pseudo) {
      return false;
    }
    int sum = InternetChecksum.sum(segment, length);
    int checksum =
        protocol == UDP ? InternetChecksum.forUdp(sum) : InternetChecksum.complement(sum);
    Memory.putShort(segment + field, checksum);
    return true;
  }

  private static int bigEndian(long address) {
    return InternetChecksum.word(Memory.getUnsignedShort(address));
  }
}
