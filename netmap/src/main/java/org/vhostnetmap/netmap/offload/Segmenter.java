// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import java.util.Objects;
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

  private static final int IPV6_BYTES = 40;

  private final PacketHeaders headers = new PacketHeaders();
  private final byte[] made = new byte[PacketHeaders.LIMIT];

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
    if (wanted.keepsDatagrams() && perSegment < Math.min(wanted.gsoSize(), dataBytes)) {
      return OffloadFault.DATAGRAM_SIZE;
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

  /** Bytes of the frame that comes out last. */
  public int last() {
    return headers.length + dataBytes - (segments - 1) * perSegment;
  }

  /** Bytes of the next frame. */
  public int nextLength() {
    return headers.length + nextData();
  }

  private int nextData() {
    return Math.min(perSegment, dataBytes - index * perSegment);
  }

  /**
   * Writes the next frame.
   *
   * @param to where; room for {@link #nextLength} bytes
   * @return its bytes
   */
  public int next(long to) {
    int data = nextData();
    long dataAt = to + headers.length;
    Objects.requireNonNull(frame).copy(dataAt, data);
    makeHeaders(data, InternetChecksum.sum(dataAt, data));
    Memory.copyFromArray(made, 0, to, headers.length);
    return headers.length + data;
  }

  /**
   * Writes the next frame over pieces of memory.
   *
   * @param to where; {@link #nextLength} bytes altogether
   */
  public void next(Pieces to) {
    int data = nextData();
    to.rewind();
    to.skip(headers.length);
    Objects.requireNonNull(frame).copy(to, data);
    makeHeaders(data, to.sum(headers.length));
    to.rewind();
    to.put(made, headers.length);
  }

  /**
   * A number made of the packet's headers as they were read: two packets of one flow differ by
   * sequence number or IPv4 identification, and so by this; a retransmission is the same packet.
   */
  public int identity() {
    int hash = headers.length;
    for (int at = 0; at < headers.length; at++) {
      hash = 31 * hash + headers.bytes[at];
    }
    return hash;
  }

  /** Leaves the next frame out. */
  public void skip() {
    Objects.requireNonNull(frame).skip(nextData());
    index++;
  }

  /** The headers of the next frame, whose data has that sum; goes on to the one after it. */
  private void makeHeaders(int data, int dataSum) {
    System.arraycopy(headers.bytes, 0, made, 0, headers.length);
    int packetBytes = headers.length - headers.transport + data;
    if (headers.ipv4) {
      makeIpv4(packetBytes);
    } else {
      int payload = packetBytes + headers.transport - headers.ip - IPV6_BYTES;
      putWord(headers.ip + 4, payload);
    }
    if (headers.tcp) {
      makeTcp(index * perSegment, index == segments - 1);
    } else {
      putWord(headers.transport + 4, packetBytes);
    }
    makeChecksum(packetBytes, dataSum);
    index++;
  }

  private void makeIpv4(int packetBytes) {
    int ip = headers.ip;
    int headerBytes = headers.transport - ip;
    putWord(ip + 2, headerBytes + packetBytes);
    putWord(ip + 4, headers.word(ip + 4) + index);
    putWord(ip + 10, 0);
    int sum = InternetChecksum.sum(made, ip, headerBytes);
    putWord(ip + 10, InternetChecksum.swapped(InternetChecksum.complement(sum)));
  }

  private void makeTcp(int before, boolean last) {
    int tcp = headers.transport;
    int sequence = headers.doubleWord(tcp + 4) + before;
    putWord(tcp + 4, sequence >>> 16);
    putWord(tcp + 6, sequence);
    int flags = made[tcp + 13];
    if (!last) {
      flags &= ~(TCP_FIN | TCP_PSH);
    }
    if (index > 0) {
      // RFC 3168, 6.1.2: the reduction of the window is told once.
      flags &= ~TCP_CWR;
    }
    made[tcp + 13] = (byte) flags;
  }

  private void makeChecksum(int packetBytes, int dataSum) {
    int transport = headers.transport;
    int field = transport + (headers.tcp ? 16 : 6);
    putWord(field, 0);
    // Source and destination stand side by side in both headers.
    int addresses = headers.ip + (headers.ipv4 ? 12 : 8);
    int addressSum = InternetChecksum.sum(made, addresses, headers.ipv4 ? 8 : 32);
    int sum = InternetChecksum.pseudoHeader(addressSum, headers.protocol(), packetBytes);
    sum =
        InternetChecksum.add(
            sum, InternetChecksum.sum(made, transport, headers.length - transport));
    sum = InternetChecksum.add(sum, dataSum); // TCP and UDP headers have an even length
    int checksum = headers.tcp ? InternetChecksum.complement(sum) : InternetChecksum.forUdp(sum);
    putWord(field, InternetChecksum.swapped(checksum));
  }

  /** 16 bits, most significant byte first. */
  private void putWord(int at, int value) {
    made[at] = (byte) (value >>> 8);
    made[at + 1] = (byte) value;
  }
}
