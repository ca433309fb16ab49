// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.util.HashSet;
import java.util.Set;
import org.vhostnetmap.linux.Memory;

/**
 * Stands in for {@link Memory} in classes that a {@link RecordingLoader} made: fails on the second
 * read of a byte within one call into the queue. Public because it is called across class loaders;
 * one thread at a time.
 */
public final class RecordingMemory {
  private static final Set<Long> READ = new HashSet<>();
  private static long reads;
  private static boolean strict = true;

  private RecordingMemory() {}

  /** A call into the queue begins. */
  public static void begin() {
    READ.clear();
  }

  /** A chain that loops comes by the same descriptors again: then it is no second look. */
  public static void setStrict(boolean on) {
    strict = on;
  }

  /** Reads seen so far. */
  public static long reads() {
    return reads;
  }

  private static void reading(long address, int bytes) {
    reads++;
    for (int i = 0; i < bytes; i++) {
      if (!READ.add(address + i) && strict) {
        throw new AssertionError("second read of host address " + Long.toHexString(address + i));
      }
    }
  }

  /** See {@link Memory}. */
  public static int getUnsignedShort(long address) {
    reading(address, 2);
    return Memory.getUnsignedShort(address);
  }

  /** See {@link Memory}. */
  public static int getUnsignedShortAcquire(long address) {
    reading(address, 2);
    return Memory.getUnsignedShortAcquire(address);
  }

  /** See {@link Memory}. */
  public static long getUnsignedInt(long address) {
    reading(address, 4);
    return Memory.getUnsignedInt(address);
  }

  /** See {@link Memory}. */
  public static long getLong(long address) {
    reading(address, 8);
    return Memory.getLong(address);
  }

  /** See {@link Memory}. */
  public static long getUnsignedIntAcquire(long address) {
    reading(address, 4);
    return Memory.getUnsignedIntAcquire(address);
  }

  /** See {@link Memory}. */
  public static long getLongAcquire(long address) {
    reading(address, 8);
    return Memory.getLongAcquire(address);
  }

  /** See {@link Memory}. */
  public static void publishInt(long address, int value) {
    Memory.publishInt(address, value);
  }

  /** See {@link Memory}. */
  public static void publishLong(long address, long value) {
    Memory.publishLong(address, value);
  }

  /** See {@link Memory}. */
  public static void putLong(long address, long value) {
    Memory.putLong(address, value);
  }

  /** See {@link Memory}. */
  public static void putShort(long address, int value) {
    Memory.putShort(address, value);
  }

  /** See {@link Memory}. */
  public static void publishShort(long address, int value) {
    Memory.publishShort(address, value);
  }

  /** See {@link Memory}. */
  public static void fullFence() {
    Memory.fullFence();
  }

  /** See {@link Memory}. */
  public static void acquireFence() {
    Memory.acquireFence();
  }
}
