// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/**
 * Offsets and constants of {@code net/netmap.h}, API 14, on a 64-bit little-endian host, in bytes.
 * Facts of the ABI, the same in the kernel's memory and in ours.
 */
public final class NetmapAbi {
  /** {@code struct netmap_ring}: buf_ofs, a signed 64-bit distance from the ring to buffer 0. */
  public static final int RING_BUF_OFS = 0;

  /** num_slots, 32 bits. */
  public static final int RING_NUM_SLOTS = 8;

  /** nr_buf_size, 32 bits. */
  public static final int RING_BUF_SIZE = 12;

  /** ringid, 16 bits. */
  public static final int RING_RINGID = 16;

  /** dir, 16 bits: 1 for TX and 0 for RX in practice. */
  public static final int RING_DIR = 18;

  /** head, 32 bits, written by the user. */
  public static final int RING_HEAD = 20;

  /** cur, 32 bits, written by the user. */
  public static final int RING_CUR = 24;

  /** tail, 32 bits, written by the kernel. */
  public static final int RING_TAIL = 28;

  /** flags, 32 bits. */
  public static final int RING_FLAGS = 32;

  /** Bytes of the ring's header, after which the slots begin. */
  public static final int RING_BYTES = 256;

  /** {@code struct netmap_slot}: buf_idx, 32 bits. */
  public static final int SLOT_BUF_IDX = 0;

  /** len, 16 bits. */
  public static final int SLOT_LEN = 4;

  /** flags, 16 bits. */
  public static final int SLOT_FLAGS = 6;

  /** Bytes of a slot. */
  public static final int SLOT_BYTES = 16;

  /** The frame goes on in the next slot. */
  public static final int NS_MOREFRAG = 0x20;

  /** Buffers 0 and 1 are reserved. */
  public static final int FIRST_BUFFER = 2;

  /** The usual buffer size. */
  public static final int DEFAULT_BUFFER_BYTES = 2048;

  private NetmapAbi() {}
}
