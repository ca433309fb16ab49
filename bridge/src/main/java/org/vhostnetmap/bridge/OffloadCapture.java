// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.offload.OffloadFault;
import org.vhostnetmap.netmap.offload.PacketHeaders;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.netmap.offload.VnetHeader;

/**
 * Takes a source's virtio-net headers into a burst, each field read once and validated against its
 * frame (virtio 1.3, 5.1.6.2): what a sink finds there may be used as it is. hdr_len, which may
 * lie, is replaced by what the packet says. One thread.
 */
final class OffloadCapture {
  /**
   * More segments than this no honest sender wants of one packet: each is work that others wait
   * for.
   */
  static final int MOST_SEGMENTS = 1024;

  /** What making one segment costs, in bytes copied in the same time. */
  private static final int SEGMENT_COST = 512;

  private static final int ETHERNET_BYTES = 14;
  private static final int LONGEST_PACKET = 65535;

  private final int allowed;
  private final VnetHeader asked = new VnetHeader();
  private final Pieces pieces = new Pieces(64);
  private final PacketHeaders packet = new PacketHeaders();

  /**
   * A capture for a source.
   *
   * @param allowed what it may ask for, as {@link Offload} has it
   */
  OffloadCapture(int allowed) {
    this.allowed = allowed;
  }

  /**
   * The bits of a header's first eight bytes that are looked at. A driver that did not negotiate
   * CSUM need not even clear its headers, so of those none are.
   */
  long looksAt() {
    return allowed == 0 ? 0 : Offload.ASKS;
  }

  /**
   * Notes what the header of frame {@code i}, which is set already, asks for, or refuses the frame.
   *
   * @param header its first eight bytes, some bit of {@link #looksAt} among them
   * @param checksumOffset its csum_offset
   * @return what it costs to do, in bytes copied: a round ends sooner for it
   */
  long take(Burst burst, int i, long header, int checksumOffset) {
    int type = Offload.gsoType(header);
    asked.set(
        (int) header & VnetHeader.NEEDS_CSUM,
        type,
        Offload.gsoSize(header),
        Offload.csumStart(header),
        checksumOffset);
    // Whoever asks for segments must ask for the checksum too (5.1.6.2.1).
    boolean fit = asked.needsChecksum() && asked.check(burst.length[i]) == null;
    long ours = Offload.checksumHeader(Offload.csumStart(header));
    if (fit && asked.segments()) {
      fit = headersFit(burst, i) == null;
      ours =
          Offload.segmentHeader(
              type, packet.length(), asked.gsoSize(), asked.csumStart(), packet.isIpv4());
    }
    int needs = Offload.needs(ours);
    if (fit && needs != 0 && (needs & ~allowed) == 0) {
      burst.offloads |= 1L << i;
      burst.header[i] = ours;
      burst.checksumOffset[i] = checksumOffset;
      return asked.segments() ? (long) SEGMENT_COST * segments(burst, i) : 0;
    }
    burst.valid &= ~(1L << i);
    burst.refuse(i, DropReason.BAD_OFFLOAD);
    return 0;
  }

  private int segments(Burst burst, int i) {
    int data = burst.length[i] - packet.length();
    return (data + asked.gsoSize() - 1) / asked.gsoSize();
  }

  private @Nullable OffloadFault headersFit(Burst burst, int i) {
    burst.lend(i, pieces);
    OffloadFault fault = packet.read(pieces, burst.length[i], asked);
    if (fault != null) {
      return fault;
    }
    if (asked.csumStart() != packet.transport()
        || asked.csumField() != packet.transport() + packet.checksumOffset()) {
      return OffloadFault.CHECKSUM_OUTSIDE;
    }
    int data = burst.length[i] - packet.length();
    int longest = packet.length() + Math.min(asked.gsoSize(), data) - ETHERNET_BYTES;
    boolean fits = data > 0 && segments(burst, i) <= MOST_SEGMENTS && longest <= LONGEST_PACKET;
    return fits ? null : OffloadFault.GSO_SIZE;
  }
}
