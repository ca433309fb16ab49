// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

/** The kinds of payload and how long each may be, in bytes. */
public enum Payload {
  /** Nothing. */
  NONE(0, 0),
  /** One u64. */
  U64(8, 8),
  /** {@link VringState}. */
  VRING_STATE(8, 8),
  /** {@link VringAddress}. */
  VRING_ADDRESS(40, 40),
  /** {@link VringFd}. */
  VRING_FD(8, 8),
  /**
   * {@link MemoryTableMessage}: 1 to 8 regions. May be longer than its regions need: user-mode
   * Linux always sends 72.
   */
  MEMORY_TABLE(8 + MemoryRegion.BYTES, 8 + 8 * MemoryRegion.BYTES),
  /** A u64 of padding and one {@link MemoryRegion}. */
  SINGLE_REGION(8 + MemoryRegion.BYTES, 8 + MemoryRegion.BYTES),
  /** u64 mmap size, u64 mmap offset of the dirty log. */
  LOG(16, 16),
  /** u64 iova, u64 size, u64 user address, u8 permission, u8 type, padding. */
  IOTLB(32, 32),
  /** u32 offset, u32 size, u32 flags, size bytes. */
  CONFIG(12, 12 + 256),
  /** u64 mmap size, u64 mmap offset, u16 queues, u16 queue size, padding. */
  INFLIGHT(20, 24),
  /** u32 direction, u32 phase. */
  DEVICE_STATE(8, 8),
  /** A uuid. */
  UUID(16, 16),
  /** Whatever crypto devices send. */
  CRYPTO(0, Payload.LARGEST);

  /** No payload is longer than this; a header that says more is a fault, and nothing is read. */
  public static final int LARGEST = 4096;

  private final int least;
  private final int most;

  Payload(int least, int most) {
    this.least = least;
    this.most = most;
  }

  /** Whether a payload of this kind may have {@code size} bytes. */
  public boolean allows(int size) {
    return size >= least && size <= most;
  }
}
