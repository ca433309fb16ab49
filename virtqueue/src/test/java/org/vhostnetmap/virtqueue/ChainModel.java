// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.io.ByteArrayOutputStream;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * What a chain means, by the documents and byte by byte: slow, without caches, without a fast path,
 * sharing nothing with the code under test but the names of the reasons.
 */
final class ChainModel {
  /** The chain's bytes and how many of them come before the first writable one, or its fault. */
  @SuppressWarnings("ArrayRecordComponent") // compared by its parts, never as a whole
  record Result(byte[] bytes, int readable, @Nullable Reason fault) {}

  private static final class Broken extends Exception {
    private static final long serialVersionUID = 1L;
    final Reason reason;

    Broken(Reason reason) {
      this.reason = reason;
    }
  }

  private record Descriptor(long address, long length, int flags, int next) {}

  private interface Table {
    Descriptor get(int index) throws Broken;
  }

  private final GuestImage image;
  private final Direction direction;
  private final boolean indirectNegotiated;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private int readable = -1;

  private ChainModel(GuestImage image, Direction direction, boolean indirectNegotiated) {
    this.image = image;
    this.direction = direction;
    this.indirectNegotiated = indirectNegotiated;
  }

  static Result chain(
      GuestImage image,
      Direction direction,
      boolean indirectNegotiated,
      long hostTable,
      int size,
      int head) {
    ChainModel model = new ChainModel(image, direction, indirectNegotiated);
    try {
      if (head >= size) {
        throw new Broken(Reason.HEAD_INDEX);
      }
      model.walk(i -> ringDescriptor(hostTable + 16L * i), size, head, true);
      byte[] all = model.bytes.toByteArray();
      return new Result(all, model.readable < 0 ? all.length : model.readable, null);
    } catch (Broken broken) {
      return new Result(new byte[0], 0, broken.reason);
    }
  }

  private void walk(Table table, int size, int first, boolean mayBeIndirect) throws Broken {
    int index = first;
    for (int i = 0; i < size; i++) {
      Descriptor d = table.get(index);
      if ((d.flags & 4) != 0) {
        boolean whole = d.length % 16 == 0 && d.length >= 16 && d.length / 16 <= 32768;
        if (!mayBeIndirect || !indirectNegotiated || (d.flags & 1) != 0 || !whole) {
          throw new Broken(Reason.INDIRECT);
        }
        if (Long.compareUnsigned(d.address, d.address + d.length - 1) > 0) {
          throw new Broken(Reason.ADDRESS);
        }
        walk(j -> indirectDescriptor(d.address + 16L * j), (int) (d.length / 16), 0, false);
        return;
      }
      buffer(d);
      if ((d.flags & 1) == 0) {
        return;
      }
      if (d.next >= size) {
        throw new Broken(Reason.NEXT_INDEX);
      }
      index = d.next;
    }
    throw new Broken(Reason.DESCRIPTOR_LOOP);
  }

  private void buffer(Descriptor d) throws Broken {
    boolean writable = (d.flags & 2) != 0;
    boolean wrong =
        (direction == Direction.READABLE && writable)
            || (direction == Direction.WRITABLE && !writable)
            || (!writable && readable >= 0);
    if (wrong) {
      throw new Broken(Reason.DIRECTION);
    }
    if (writable && readable < 0) {
      readable = bytes.size();
    }
    if (d.length > 1L << 30) {
      throw new Broken(Reason.CHAIN_SIZE);
    }
    for (long i = 0; i < d.length; i++) {
      int value = image.get(d.address + i);
      if (value < 0 || (i > 0 && d.address + i == 0)) {
        throw new Broken(Reason.ADDRESS);
      }
      bytes.write(value);
    }
  }

  private static Descriptor ringDescriptor(long host) {
    return new Descriptor(
        Memory.getLong(host),
        Memory.getUnsignedInt(host + 8),
        Memory.getUnsignedShort(host + 12),
        Memory.getUnsignedShort(host + 14));
  }

  /** A descriptor that is not in memory, or has a field across two regions, is outside. */
  private Descriptor indirectDescriptor(long guest) throws Broken {
    for (int half = 0; half < 16; half += 8) {
      GuestMemory.Region region = image.at(guest + half);
      if (region == null || !region.equals(image.at(guest + half + 7))) {
        throw new Broken(Reason.ADDRESS);
      }
    }
    return new Descriptor(
        number(guest, 8),
        number(guest + 8, 4),
        (int) number(guest + 12, 2),
        (int) number(guest + 14, 2));
  }

  private long number(long guest, int count) {
    long value = 0;
    for (int i = 0; i < count; i++) {
      value |= (long) image.get(guest + i) << (8 * i);
    }
    return value;
  }
}
