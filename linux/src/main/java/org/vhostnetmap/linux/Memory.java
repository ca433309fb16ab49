// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/// Raw memory by absolute host address: the one class that touches memory shared with a guest, a
/// front-end or the kernel.
///
/// Every address given to it has been bounds-checked by its owner (`GuestMemory`, `NetmapRing`,
/// `Mapping`): an address that is not mapped kills the process. A page that *vanished* under a
/// valid mapping (the other side truncated its file) raises [InternalError], which workers catch.
/// That holds only for the kinds of access offered here; the JVM dies on ordered 8 or 16-bit
/// stores, on a sign-widened 32-bit load, on compare-and-set, on vector loads and on native copies
/// of such a page, so none of them is here (docs/decisions/0002-memory.md).
///
/// Byte order is the host's, which [#requireLittleEndian] insists to be little-endian, as virtio
/// 1.x and netmap on every supported host are. All methods are thread-safe in the way plain memory
/// is; none allocates.
public final class Memory {
  private static final MemorySegment ALL = everything();
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final VarHandle ALIGNED_SHORT = ValueLayout.JAVA_SHORT.varHandle();
  private static final VarHandle ALIGNED_INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle ALIGNED_LONG = ValueLayout.JAVA_LONG.varHandle();

  private Memory() {}

  @SuppressWarnings("restricted")
  private static MemorySegment everything() {
    return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  }

  /** Refuses a big-endian host, where every ring field would be read backwards. */
  public static void requireLittleEndian() {
    if (java.nio.ByteOrder.nativeOrder() != java.nio.ByteOrder.LITTLE_ENDIAN) {
      throw new UnsupportedOperationException("vhost-netmap runs on little-endian hosts only");
    }
  }

  /** The byte at {@code address}, 0 to 255. */
  public static int getUnsignedByte(long address) {
    return ALL.get(ValueLayout.JAVA_BYTE, address) & 0xff;
  }

  /** Stores the low 8 bits of {@code value}. */
  public static void putByte(long address, int value) {
    ALL.set(ValueLayout.JAVA_BYTE, address, (byte) value);
  }

  /** The 16 bits at {@code address}, any alignment, 0 to 65535. */
  public static int getUnsignedShort(long address) {
    return ALL.get(SHORT, address) & 0xffff;
  }

  /**
   * The 16 bits at an even {@code address}, 0 to 65535, read whole and before everything that
   * follows: the way to read an index or event word that the other side publishes.
   */
  public static int getUnsignedShortAcquire(long address) {
    return (short) ALIGNED_SHORT.getAcquire(ALL, address) & 0xffff;
  }

  /** Stores the low 16 bits of {@code value}, any alignment, in no order with other stores. */
  public static void putShort(long address, int value) {
    ALL.set(SHORT, address, (short) value);
  }

  /**
   * Publishes a 16-bit index at an even {@code address}: all earlier stores are seen by whoever
   * sees this one. A fence and a plain store, because HotSpot can't survive a fault in a 16-bit
   * releasing store.
   */
  public static void publishShort(long address, int value) {
    VarHandle.releaseFence();
    ALL.set(ValueLayout.JAVA_SHORT, address, (short) value);
  }

  /**
   * The 32 bits at {@code address}, any alignment, 0 to 2^32 - 1. There is no signed twin: see the
   * class.
   */
  public static long getUnsignedInt(long address) {
    return ALL.get(INT, address) & 0xffffffffL;
  }

  /**
   * The 32 bits at a 4-aligned {@code address}, read whole and before everything that follows, 0 to
   * 2^32 - 1.
   */
  public static long getUnsignedIntAcquire(long address) {
    return (int) ALIGNED_INT.getAcquire(ALL, address) & 0xffffffffL;
  }

  /** Stores 32 bits, any alignment. */
  public static void putInt(long address, int value) {
    ALL.set(INT, address, value);
  }

  /** Publishes 32 bits at a 4-aligned {@code address} after all earlier stores. */
  public static void publishInt(long address, int value) {
    VarHandle.releaseFence();
    ALL.set(ValueLayout.JAVA_INT, address, value);
  }

  /** The 64 bits at {@code address}, any alignment. */
  public static long getLong(long address) {
    return ALL.get(LONG, address);
  }

  /** The 64 bits at an 8-aligned {@code address}, read whole and before everything that follows. */
  public static long getLongAcquire(long address) {
    return (long) ALIGNED_LONG.getAcquire(ALL, address);
  }

  /** Stores 64 bits, any alignment. */
  public static void putLong(long address, long value) {
    ALL.set(LONG, address, value);
  }

  /** Publishes 64 bits at an 8-aligned {@code address} after all earlier stores. */
  public static void publishLong(long address, long value) {
    VarHandle.releaseFence();
    ALL.set(ValueLayout.JAVA_LONG, address, value);
  }

  /**
   * Copies {@code length} bytes; the two ranges may not be assumed to stay the same meanwhile, but
   * may overlap.
   */
  public static void copy(long from, long to, long length) {
    MemorySegment.copy(ALL, from, ALL, to, length);
  }

  /** Copies {@code length} bytes from memory into {@code to} at {@code offset}. */
  public static void copyToArray(long from, byte[] to, int offset, int length) {
    MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, from, to, offset, length);
  }

  /** Copies {@code length} bytes of {@code from} at {@code offset} into memory. */
  public static void copyFromArray(byte[] from, int offset, long to, int length) {
    MemorySegment.copy(from, offset, ALL, ValueLayout.JAVA_BYTE, to, length);
  }

  /** Sets {@code length} bytes to the low 8 bits of {@code value}. */
  public static void fill(long address, long length, int value) {
    // A segment's own fill would need a slice, which is not always optimised away (40 bytes a call,
    // measured). So the first bytes are stored, and what is there already is copied behind itself.
    long filled = Math.min(length, Long.BYTES);
    for (long i = 0; i < filled; i++) {
      putByte(address + i, value);
    }
    while (filled < length) {
      long next = Math.min(filled, length - filled);
      copy(address, address + filled, next);
      filled += next;
    }
  }

  /**
   * The sum of the 32-bit words in {@code length} bytes, a multiple of 8 below 2^32: a checksum's
   * inner loop. Over a slice, because the compiler turns this loop into vector instructions and the
   * same one over the whole address space not; the slice is never made, which the allocation check
   * watches.
   */
  public static long sumOfInts(long address, long length) {
    MemorySegment range = ALL.asSlice(address, length);
    long sum = 0;
    for (long i = 0; i < length; i += Long.BYTES) {
      long both = range.get(LONG, i);
      sum += (both & 0xffffffffL) + (both >>> 32);
    }
    return sum;
  }

  /** Orders all earlier loads before all later loads and stores. */
  public static void acquireFence() {
    VarHandle.acquireFence();
  }

  /** Orders all earlier loads and stores before all later stores. */
  public static void releaseFence() {
    VarHandle.releaseFence();
  }

  /** Orders everything earlier, stores before loads too, before everything later. */
  public static void fullFence() {
    VarHandle.fullFence();
  }
}
