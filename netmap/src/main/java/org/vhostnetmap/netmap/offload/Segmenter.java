// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;

/// Cuts one big TCP or UDP packet into packets of the size its sender asked for, with lengths,
/// sequence numbers, flags and all checksums right: what a NIC does for TSO and USO.
///
/// ```
///   | Ethernet, VLAN | IP | TCP |            data            |
///           copied for each             next gso_size bytes
///   | Ethernet, VLAN | IP'| TCP'| data 0 |   | .. | data 1 |   | .. | data 2 |
/// ```
///
/// Everything that decides about lengths comes from a private copy of the headers; the data is read
/// once. Use: [#begin], then [#next] as often as [#segments] says. Reusable; one thread.
public final class Segmenter {
  private static final int TCP_FIN = 0x01;
  private static final int TCP_PSH = 0x08;
  private static final int TCP_CWR = 0x80;

  private final PacketHeaders headers = new PacketHeaders();

  private @Nullable Pieces frame;
  private int dataBytes;
  private int perSegment;
  private int segments;
  private int index;

  /** A segmenter without a frame. */
  public Segmenter() {}

  /**
   * Looks at a frame.
   *
   * @param packet the frame, its cursor at the first byte of the Ethernet header
   * @param frameBytes bytes from there to its end
   * @param wanted its virtio-net header, which has passed {@link VnetHeader#check}
   * @param maxFrame longest frame that may come out, Ethernet header included
   * @return what is wrong with it, or null
   */
  public @Nullable OffloadFault begin(
      Pieces packet, int frameBytes, VnetHeader wanted, int maxFrame) {
    segments = 0;
    index = 0;
    OffloadFault fault = headers.read(packet, frameBytes, wanted);
    if (fault != null) {
      return fault;
    }
    dataBytes = frameBytes - headers.length;
    perSegment = Math.min(wanted.gsoSize(), maxFrame - headers.length);
    if (perSegment <= 0 || dataBytes == 0) {
      return OffloadFault.GSO_SIZE;
    }
    segments = (dataBytes + perSegment - 1) / perSegment;
    packet.rewindTo(headers.length, frameBytes);
    frame = packet;
    return null;
  }

  /** How many frames come out. */
  public int segments() {
    return segments;
  }

  /** Bytes of the longest frame that comes out: the first. */
  public int longest() {
    return headers.length + Math.min(perSegment, dataBytes);
  }

  /**
   * Writes the next frame.
   *
   * @param to where; room for {@link #longest} bytes
   * @return its bytes
   */
  public int next(long to) {
    int before = index * perSegment;
    int data = Math.min(perSegment, dataBytes - before);
    boolean last = before + data == dataBytes;
    Memory.copyFromArray(headers.bytes, 0, to, headers.length);
    java.util.Objects.requireNonNull(frame).copy(to + headers.length, data);
    int packetBytes = headers.length - headers.transport + data;
    if (headers.ipv4) {
      writeIpv4(to, packetBytes);
    } else {
      int payload = packetBytes + headers.transport - headers.ip - 40;
      putWord(to + headers.ip + 4, payload);
    }
    if (headers.tcp) {
      writeTcp(to, before, last);
    } else {
      putWord(to + headers.transport + 4, packetBytes);
    }
    writeChecksum(to, packetBytes);
    index++;
    return headers.length + data;
  }

  /** Leaves the next frame out. */
  public void skip() {
    int data = Math.min(perSegment, dataBytes - index * perSegment);
    java.util.Objects.requireNonNull(frame).skip(data);
    index++;
  }

  private void writeIpv4(long to, int packetBytes) {
    long ip = to + headers.ip;
    int headerBytes = headers.transport - headers.ip;
    putWord(ip + 2, headerBytes + packetBytes);
    putWord(ip + 4, headers.word(headers.ip + 4) + index);
    putWord(ip + 10, 0);
    int sum = InternetChecksum.sum(ip, headerBytes);
    Memory.putShort(ip + 10, InternetChecksum.complement(sum));
  }

  private void writeTcp(long to, int before, boolean last) {
    long tcp = to + headers.transport;
    Memory.putInt(
        tcp + 4, Integer.reverseBytes(headers.doubleWord(headers.transport + 4) + before));
    int flags = headers.bytes[headers.transport + 13] & 0xff;
    if (!last) {
      flags &= ~(TCP_FIN | TCP_PSH);
    }
    if (index > 0) {
      // RFC 3168, 6.1.2: the reduction of the window is told once.
      flags &= ~TCP_CWR;
    }
    Memory.putByte(tcp + 13, flags);
  }

  private void writeChecksum(long to, int packetBytes) {
    long transport = to + headers.transport;
    long field = transport + (headers.tcp ? 16 : 6);
    Memory.putShort(field, 0);
    // Source and destination stand side by side in both headers.
    long addresses = to + headers.ip + (headers.ipv4 ? 12 : 8);
    int pseudo =
        InternetChecksum.pseudoHeader(
            addresses, headers.ipv4 ? 8 : 32, headers.protocol(), packetBytes);
    int sum = InternetChecksum.add(pseudo, InternetChecksum.sum(transport, packetBytes));
    Memory.putShort(field, InternetChecksum.forTransport(sum));
  }

  private static void putWord(long at, int value) {
    Memory.putShort(at, InternetChecksum.word(value));
  }
}
