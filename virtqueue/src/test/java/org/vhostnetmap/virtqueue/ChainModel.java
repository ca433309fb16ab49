// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.io.ByteArrayOutputStream;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.fakes.FakeRing;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;

/**
 * What a chain means, by the documents and byte by byte: slow, without caches, without a fast path,
 * sharing nothing with the code under test but the names of the reasons.
 */
final class ChainModel {
  /**
   * The chain's bytes, how many of them come before the first writable one, and how many
   * descriptors lie before its last; or its fault.
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by its parts, never as a whole
  record Result(byte[] bytes, int readable, int end, @Nullable Reason fault) {}

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
      return model.result(0);
    } catch (Broken broken) {
      return new Result(new byte[0], 0, 0, broken.reason);
    }
  }

  private Result result(int end) {
    byte[] all = bytes.toByteArray();
    return new Result(all, readable < 0 ? all.length : readable, end, null);
  }

  /** The same for a packed ring where these descriptors are available and none behind them. */
  static Result packedChain(
      GuestImage image,
      Direction direction,
      boolean indirectNegotiated,
      List<FakeRing.Raw> descriptors,
      int size) {
    ChainModel model = new ChainModel(image, direction, indirectNegotiated);
    try {
      return model.result(model.walkPacked(descriptors, size));
    } catch (Broken broken) {
      return new Result(new byte[0], 0, 0, broken.reason);
    }
  }

  private int walkPacked(List<FakeRing.Raw> descriptors, int size) throws Broken {
    for (int i = 0; i < size; i++) {
      if (i == descriptors.size()) {
        throw new Broken(Reason.CHAIN_CUT);
      }
      FakeRing.Raw raw = descriptors.get(i);
      Descriptor d = new Descriptor(raw.guestAddress(), raw.length(), raw.flags(), 0);
      if ((d.flags & 4) != 0) {
        walkPackedTable(d, i == 0);
        return i;
      }
      buffer(d);
      if ((d.flags & 1) == 0) {
        return i;
      }
    }
    throw new Broken(Reason.DESCRIPTOR_LOOP);
  }

  /** All of the table counts, whatever its flags say but WRITE. */
  private void walkPackedTable(Descriptor table, boolean alone) throws Broken {
    boolean whole = table.length % 16 == 0 && table.length >= 16 && table.length / 16 <= 32768;
    if (!alone || !indirectNegotiated || (table.flags & 1) != 0 || !whole) {
      throw new Broken(Reason.INDIRECT);
    }
    if (Long.compareUnsigned(table.address, table.address + table.length - 1) > 0) {
      throw new Broken(Reason.ADDRESS);
    }
    for (long at = 0; at < table.length; at += 16) {
      Descriptor d = indirectDescriptor(table.address + at);
      buffer(new Descriptor(d.address, d.length, d.next & 2, 0)); // flags are where next is in 2.7
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
