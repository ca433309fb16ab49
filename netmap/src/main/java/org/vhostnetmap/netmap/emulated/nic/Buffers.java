// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * A pool's buffers as chunks of a UMEM: buffer {@code k} is chunk {@code k}, and its data begins
 * {@code skew} bytes into it.
 */
final class Buffers {
  private final long base;
  private final int count;
  private final int shift;
  private final int skew;
  private final int usable;

  Buffers(Pool pool) {
    base = pool.buffersAddress();
    count = pool.geometry().buffers();
    shift = Integer.numberOfTrailingZeros(pool.geometry().bufferBytes());
    skew = pool.geometry().skew();
    usable = pool.usableBytes();
  }

  /** Whether there is a buffer of that index that a slot may name. */
  boolean has(long index) {
    return index >= NetmapAbi.FIRST_BUFFER && index < count;
  }

  /** Where in the UMEM a buffer's chunk begins. */
  long chunk(long index) {
    return index << shift;
  }

  /** Where in the UMEM a buffer's data begins. */
  long data(long index) {
    return (index << shift) + skew;
  }

  /** The buffer around an address of the UMEM. */
  int index(long address) {
    return (int) (address >>> shift);
  }

  /** Most bytes of a frame. */
  int usable() {
    return usable;
  }

  /**
   * Host address of the frame that the kernel put at {@code address} of the UMEM, which is moved to
   * where a buffer's data begins if it is not there.
   */
  long dataAt(long address, int length) {
    long data = base + data(index(address));
    if (base + address != data) {
      Memory.copy(base + address, data, Math.min(length, usable));
    }
    return data;
  }
}
