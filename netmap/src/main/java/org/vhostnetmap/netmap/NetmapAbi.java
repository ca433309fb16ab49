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

  /** ts, seconds and microseconds of the last rxsync, 64 bits each. */
  public static final int RING_TS = 40;

  /** Bytes of the ring's header, after which the slots begin. */
  public static final int RING_BYTES = 256;

  /** {@code struct netmap_slot}: buf_idx, 32 bits. */
  public static final int SLOT_BUF_IDX = 0;

  /** len, 16 bits. */
  public static final int SLOT_LEN = 4;

  /** flags, 16 bits. */
  public static final int SLOT_FLAGS = 6;

  /** ptr, 64 bits. */
  public static final int SLOT_PTR = 8;

  /** Bytes of a slot. */
  public static final int SLOT_BYTES = 16;

  /** {@code struct netmap_if}: ni_name, a string in 16 bytes. */
  public static final int IF_NAME = 0;

  /** Bytes of ni_name. */
  public static final int IF_NAME_BYTES = 16;

  /** ni_version, 32 bits, 0 in practice. */
  public static final int IF_VERSION = 16;

  /** ni_flags, 32 bits: {@link #NI_PRIV_MEM}. */
  public static final int IF_FLAGS = 20;

  /** ni_tx_rings, 32 bits, without host rings. */
  public static final int IF_TX_RINGS = 24;

  /** ni_rx_rings, 32 bits, without host rings. */
  public static final int IF_RX_RINGS = 28;

  /** ni_bufs_head, 32 bits: first extra buffer. */
  public static final int IF_BUFS_HEAD = 32;

  /** ni_host_tx_rings, 32 bits; 1 where there are none. */
  public static final int IF_HOST_TX_RINGS = 36;

  /** ni_host_rx_rings, 32 bits; 1 where there are none. */
  public static final int IF_HOST_RX_RINGS = 40;

  /**
   * ring_ofs: for NIC TX, host TX, NIC RX, host RX rings the signed 64-bit distance from the
   * netmap_if; 0 for a ring that this open does not bind.
   */
  public static final int IF_RING_OFS = 56;

  /** ni_flags: the memory is the port's own. */
  public static final int NI_PRIV_MEM = 1;

  /** Slot flag of a monitor: the frame was on its way out of the port. */
  public static final int NS_TXMON = 0x40;

  /** The frame goes on in the next slot. */
  public static final int NS_MOREFRAG = 0x20;

  /** Buffers 0 and 1 are reserved. */
  public static final int FIRST_BUFFER = 2;

  /** The usual buffer size. */
  public static final int DEFAULT_BUFFER_BYTES = 2048;

  /** nr_flags: see the frames that leave through a port's TX rings (a monitor). */
  public static final long NR_MONITOR_TX = 0x100;

  /** nr_flags: see the frames that come in through a port's RX rings (a monitor). */
  public static final long NR_MONITOR_RX = 0x200;

  /** nr_flags: a monitor that is passed the buffers themselves. */
  public static final long NR_ZCOPY_MON = 0x400;

  /** nr_flags: nobody else may bind these rings. */
  public static final long NR_EXCLUSIVE = 0x800;

  /** nr_flags: bind only the RX rings. */
  public static final long NR_RX_RINGS_ONLY = 0x2000;

  /** nr_flags: bind only the TX rings. */
  public static final long NR_TX_RINGS_ONLY = 0x4000;

  /** nr_flags: the caller knows of virtio-net headers in front of frames. */
  public static final long NR_ACCEPT_VNET_HDR = 0x8000;

  /** nr_flags: poll does not transmit unless asked for POLLOUT. */
  public static final long NR_NO_TX_POLL = 0x20000;

  /** Slot flag: buf_idx was changed by the user. */
  public static final int NS_BUF_CHANGED = 1;

  /** Slot flag: tell soon that this slot is sent. */
  public static final int NS_REPORT = 2;

  /** Slot flag: when released, pass the frame on to the other side (host or NIC). */
  public static final int NS_FORWARD = 4;

  /** Ring flag: stamp ts at each rxsync. */
  public static final int NR_TIMESTAMP = 2;

  /** Ring flag: NS_FORWARD of slots is honoured. */
  public static final int NR_FORWARD = 4;

  private NetmapAbi() {}
}
