// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.offload.InternetChecksum;

/**
 * Looks whether frames arrive in a ring as they were sent: about one in a thousand IPv4 frames has
 * its header checksum verified, and that of UDP or TCP if it has one. Used by one thread at a time.
 */
final class FrameCheck {
  private static final int EVERY = 1000;
  private static final int ETHERNET_BYTES = 14;
  private static final int IPV4_BYTES = 20;
  private static final int TYPE_IPV4 = 0x0800;
  private static final int FRAGMENT = 0x3fff; // more to come, or not the first
  private static final int TCP = 6;
  private static final int UDP = 17;
  private static final int GOOD = 0xffff;

  private final NetmapRing ring;
  private final QueueCounters counters;
  private long due = EVERY; // frames

  /** Frames looked at. */
  long checked;

  /** Of these, frames with a wrong checksum. */
  long wrong;

  FrameCheck(NetmapRing ring, QueueCounters counters) {
    this.ring = ring;
    this.counters = counters;
  }

  /** Before slots are given back: looks at the last frame if it is time for one. */
  void beforeSync() {
    if (counters.frames >= due) {
      look();
    }
  }

  private void look() {
    int slot = ring.after(ring.head(), ring.slots() - 1);
    int before = ring.after(slot, ring.slots() - 1);
    long frame = ring.buffer(slot);
    int length = ring.length(slot);
    boolean whole = (ring.flags(before) & NetmapAbi.NS_MOREFRAG) == 0;
    // Else the next burst has to do.
    if (whole && frame != 0 && length <= ring.bufferBytes() && isIpv4(frame, length)) {
      checked++;
      wrong += isRight(frame + ETHERNET_BYTES, length - ETHERNET_BYTES) ? 0 : 1;
      due = counters.frames + EVERY;
    }
  }

  private static boolean isIpv4(long frame, int length) {
    return length >= ETHERNET_BYTES + IPV4_BYTES && bigEndian(frame + 12) == TYPE_IPV4;
  }

  private static int bigEndian(long address) {
    return InternetChecksum.word(Memory.getUnsignedShort(address));
  }

  private static boolean isRight(long ip, int length) {
    int header = (Memory.getUnsignedByte(ip) & 0xf) * Integer.BYTES;
    int total = bigEndian(ip + 2);
    if (header < IPV4_BYTES || total < header || total > length) {
      return false;
    }
    if (InternetChecksum.sum(ip, header) != GOOD) {
      return false;
    }
    int protocol = Memory.getUnsignedByte(ip + 9);
    int transport = total - header;
    boolean isFragment = (bigEndian(ip + 6) & FRAGMENT) != 0;
    if (isFragment || transport < 8 || !hasChecksum(protocol, ip + header)) {
      return true;
    }
    int pseudo = InternetChecksum.pseudoHeader(ip + 12, 8, protocol, transport);
    return InternetChecksum.add(pseudo, InternetChecksum.sum(ip + header, transport)) == GOOD;
  }

  private static boolean hasChecksum(int protocol, long transport) {
    return protocol == TCP || (protocol == UDP && Memory.getUnsignedShort(transport + 6) != 0);
  }
}
