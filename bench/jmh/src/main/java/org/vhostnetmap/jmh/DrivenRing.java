// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jmh;

import java.util.List;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.GuestMemory;
import org.vhostnetmap.virtqueue.RingFormat;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * A ring with its device's side, and a driver that does the least a driver can: buffers of one
 * descriptor, always the same ones, given in order. It wants no calls.
 */
public final class DrivenRing implements AutoCloseable {
  /** Entries. */
  public static final int SIZE = 256;

  private static final int DESCRIPTOR_BYTES = 16;
  private static final int BUFFER_STRIDE = 2048 + 64;
  private static final int DRIVER_AREA = SIZE * DESCRIPTOR_BYTES;
  private static final int DEVICE_AREA = 2 * DRIVER_AREA;
  private static final int BUFFERS = 4 * DRIVER_AREA;
  private static final int WRITE = 2;
  private static final int AVAIL = 0x80;
  private static final int USED = 0x8000;

  private final Mapping mapping = memory();
  private final Virtqueue queue;
  private final RingFormat format;
  private final int flags;
  private final int length;
  private int given; // entries, 16 bits
  private int place;
  private boolean wrap = true;

  /**
   * A ring whose buffers have {@code length} bytes each.
   *
   * @param direction readable for a transmitq, writable for a receiveq
   */
  public DrivenRing(RingFormat format, Direction direction, int length) {
    this.format = format;
    this.length = length;
    flags = direction == Direction.WRITABLE ? WRITE : 0;
    long base = mapping.address();
    for (int i = 0; i < SIZE; i++) {
      long descriptor = base + (long) DESCRIPTOR_BYTES * i;
      Memory.putLong(descriptor, BUFFERS + (long) BUFFER_STRIDE * i);
      if (format == RingFormat.SPLIT) {
        Memory.putLong(descriptor + 8, length | (long) flags << 32);
        Memory.putShort(base + DRIVER_AREA + 4 + 2L * i, i);
      }
    }
    // No calls: VIRTQ_AVAIL_F_NO_INTERRUPT, or RING_EVENT_FLAGS_DISABLE.
    Memory.putInt(base + DRIVER_AREA, format == RingFormat.SPLIT ? 1 : 1 << 16);
    queue =
        Virtqueue.open(
            new Virtqueue.Setup(
                format,
                SIZE,
                base,
                base + DRIVER_AREA,
                base + DEVICE_AREA,
                (int) format.firstBase(),
                direction,
                false,
                false,
                false),
            GuestMemory.of(List.of(new GuestMemory.Region(0, 0, mapping.length(), base))));
    queue.refuseKicks();
  }

  private static Mapping memory() {
    try {
      return Mapping.anonymous(BUFFERS + (long) SIZE * BUFFER_STRIDE);
    } catch (ErrnoException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The device's side. */
  public Virtqueue queue() {
    return queue;
  }

  /** The driver makes so many more buffers available; they were all given back before. */
  public void give(int count) {
    if (format == RingFormat.SPLIT) {
      given = (given + count) & 0xffff;
      Memory.publishShort(mapping.address() + DRIVER_AREA + 2, given);
      return;
    }
    for (int i = 0; i < count; i++) {
      long word = length | (long) place << 32 | (long) (flags | (wrap ? AVAIL : USED)) << 48;
      Memory.publishLong(mapping.address() + (long) DESCRIPTOR_BYTES * place + 8, word);
      place = (place + 1) % SIZE;
      wrap ^= place == 0;
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
