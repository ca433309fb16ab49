// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.offload;

import java.util.Arrays;
import org.vhostnetmap.linux.Memory;

/**
 * One frame, scattered over pieces of memory that somebody else has checked and lends: slots of a
 * netmap ring, segments of a descriptor chain. Read front to back by a cursor. Reusable; one
 * thread; grows when it must and keeps what it grew to.
 */
public final class Pieces {
  private long[] addresses;
  private int[] lengths;
  private int count;
  private int total;
  private int piece;
  private int offset;

  /** An empty frame with room for so many pieces before it has to grow. */
  public Pieces(int capacity) {
    addresses = new long[capacity];
    lengths = new int[capacity];
  }

  /** Forgets all pieces. */
  public void clear() {
    count = 0;
    total = 0;
    rewind();
  }

  /** Appends {@code length} bytes at {@code address}. */
  public void add(long address, int length) {
    if (length == 0) {
      return;
    }
    if (count == addresses.length) {
      addresses = Arrays.copyOf(addresses, 2 * count + 1);
      lengths = Arrays.copyOf(lengths, 2 * count + 1);
    }
    addresses[count] = address;
    lengths[count] = length;
    count++;
    total += length;
  }

  /** Bytes of the frame. */
  public int total() {
    return total;
  }

  /** Where the first byte of the frame lies; there is one. */
  public long firstAddress() {
    return addresses[0];
  }

  /** Sets the cursor to the first byte. */
  public void rewind() {
    piece = 0;
    offset = 0;
  }

  /**
   * Sets the cursor to byte {@code at} of the last {@code lastBytes} bytes, of which there are as
   * many.
   */
  void rewindTo(int at, int lastBytes) {
    rewind();
    skip(total - lastBytes + at);
  }

  /** Copies the next {@code length} bytes, which there are, to {@code to}. */
  public void copy(long to, int length) {
    int left = length;
    long target = to;
    while (left > 0) {
      int part = Math.min(left, lengths[piece] - offset);
      Memory.copy(addresses[piece] + offset, target, part);
      target += part;
      left -= part;
      moveOn(part);
    }
  }

  /** Copies the next {@code length} bytes, which there are, into an array. */
  public void copy(byte[] to, int length) {
    int done = 0;
    while (done < length) {
      int part = Math.min(length - done, lengths[piece] - offset);
      Memory.copyToArray(addresses[piece] + offset, to, done, part);
      done += part;
      moveOn(part);
    }
  }

  /** Copies the next {@code length} bytes to where another frame's cursor is; both have as many. */
  public void copy(Pieces to, int length) {
    int left = length;
    while (left > 0) {
      int part = Math.min(left, to.lengths[to.piece] - to.offset);
      copy(to.addresses[to.piece] + to.offset, part);
      to.moveOn(part);
      left -= part;
    }
  }

  /** Stores the first {@code length} bytes of an array at the cursor; there is room. */
  public void put(byte[] from, int length) {
    int done = 0;
    while (done < length) {
      int part = Math.min(length - done, lengths[piece] - offset);
      Memory.copyFromArray(from, done, addresses[piece] + offset, part);
      done += part;
      moveOn(part);
    }
  }

  /** Moves the cursor over the next {@code length} bytes, which there are. */
  public void skip(int length) {
    int left = length;
    while (left > 0) {
      int part = Math.min(left, lengths[piece] - offset);
      left -= part;
      moveOn(part);
    }
  }

  private void moveOn(int part) {
    offset += part;
    if (offset == lengths[piece]) {
      piece++;
      offset = 0;
    }
  }

  /** The checksum's sum of everything from byte {@code from} on, which counts as an even place. */
  public int sum(int from) {
    int sum = 0;
    int at = 0;
    for (int i = 0; i < count; i++) {
      int skipped = Math.clamp(from - at, 0, lengths[i]);
      int part = InternetChecksum.sum(addresses[i] + skipped, lengths[i] - skipped);
      boolean odd = (at + skipped - from & 1) != 0;
      sum = InternetChecksum.add(sum, odd ? InternetChecksum.swapped(part) : part);
      at += lengths[i];
    }
    return sum;
  }

  /** Stores the two bytes of a checksum at byte {@code at}, which may lie across two pieces. */
  public void putChecksum(int at, int checksum) {
    putByte(at, checksum & 0xff);
    putByte(at + 1, checksum >>> 8);
  }

  private void putByte(int at, int value) {
    int left = at;
    for (int i = 0; i < count; i++) {
      if (left < lengths[i]) {
        Memory.putByte(addresses[i] + left, value);
        return;
      }
      left -= lengths[i];
    }
  }

  /**
   * Completes the checksum that a header asks for, once {@link VnetHeader#check} has passed: the
   * field holds the pseudo-header's sum already (VIRTIO 1.3, 5.1.6.2).
   */
  public void complete(VnetHeader header) {
    int sum = sum(header.csumStart());
    int checksum = header.isUdp() ? InternetChecksum.forUdp(sum) : InternetChecksum.complement(sum);
    putChecksum(header.csumField(), checksum);
  }
}
