// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import org.vhostnetmap.linux.libc.Native;

/**
 * An array of {@code struct mmsghdr}: frames, each in one piece of memory or several, for one
 * {@code recvmmsg(2)} or {@code sendmmsg(2)} on a {@link PacketSocket}. Data plane: one thread at a
 * time, no allocation, no exception.
 *
 * <pre>
 *   mmsghdr (64 bytes)   name 0:8  namelen 8:4  iov 16:8  iovlen 24:8  control 32:8
 *                        controllen 40:8  flags 48:4  len 56:4
 *   iovec (16 bytes)     base 0:8  len 8:8                      a receiver's first one is for the
 *   control (40 bytes)   cmsghdr 0:16, tpacket_auxdata 16:20    virtio-net header
 *   virtio_net_hdr       flags 0:1  gso_type 1:1  hdr_len 2:2  gso_size 4:2  csum_start 6:2
 *   (10 bytes)           csum_offset 8:2
 * </pre>
 */
public final class PacketBatch implements AutoCloseable {
  /** Flag of {@link #headerFlags}: the checksum is not complete. */
  public static final int NEEDS_CSUM = 1;

  private static final int MESSAGE = 64;
  private static final int IOV = 16;
  private static final int IOVLEN = 24;
  private static final int CONTROL = 32;
  private static final int CONTROLLEN = 40;
  private static final int FLAGS = 48;
  private static final int LEN = 56;
  private static final int IOVEC = 16;
  private static final int CONTROL_BYTES = 48;
  private static final int AUXDATA = 16;
  private static final int AUX_TCI = AUXDATA + 16;
  private static final int HEADER_BYTES = 10;
  private static final int HEADER_STRIDE = 16;
  private static final int DATA_VALID = 2; // the kernel has checked the checksum: nothing to do

  private static final int MSG_TRUNC = 0x20;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int TP_STATUS_VLAN_VALID = 1 << 4;
  private static final int TP_STATUS_VLAN_TPID_VALID = 1 << 6;
  private static final int ETH_P_8021Q = 0x8100;

  private final boolean receives;
  private final int messages;
  private final int pieces;
  private final Mapping memory;
  private final long iovecs;
  private final long controls;
  private final long headers;

  private PacketBatch(boolean receives, int messages, int pieces) throws ErrnoException {
    this.receives = receives;
    this.messages = messages;
    // A receiver has one more, for the virtio-net header.
    this.pieces = pieces + (receives ? 1 : 0);
    int iovecsAt = MESSAGE * messages;
    int controlsAt = iovecsAt + IOVEC * this.pieces * messages;
    int headersAt = controlsAt + CONTROL_BYTES * messages;
    memory = Mapping.anonymous(headersAt + HEADER_STRIDE * messages);
    iovecs = memory.address() + iovecsAt;
    controls = memory.address() + controlsAt;
    headers = memory.address() + headersAt;
    for (int i = 0; i < messages; i++) {
      Memory.putLong(message(i) + IOV, iovec(i, 0));
      if (receives) {
        Memory.putLong(iovec(i, 0), header(i));
        Memory.putLong(iovec(i, 0) + 8, HEADER_BYTES);
        Memory.putLong(message(i) + CONTROL, control(i));
      }
    }
  }

  /** For frames of up to {@code pieces} pieces each from a {@link PacketSocket#receiver}. */
  public static PacketBatch toReceive(int messages, int pieces) throws ErrnoException {
    return new PacketBatch(true, messages, pieces);
  }

  /** For frames of up to {@code pieces} pieces each to a sender. */
  public static PacketBatch toSend(int messages, int pieces) throws ErrnoException {
    return new PacketBatch(false, messages, pieces);
  }

  private long message(int i) {
    return memory.address() + (long) MESSAGE * i;
  }

  private long iovec(int i, int piece) {
    return iovecs + (long) IOVEC * (i * pieces + piece);
  }

  private long control(int i) {
    return controls + (long) CONTROL_BYTES * i;
  }

  private long header(int i) {
    return headers + (long) HEADER_STRIDE * i;
  }

  /** How many frames it has place for. */
  public int messages() {
    return messages;
  }

  /** Frame {@code i} consists of {@code count} pieces. */
  public void pieces(int i, int count) {
    Memory.putLong(message(i) + IOVLEN, receives ? count + 1L : count);
  }

  /** Where one piece of frame {@code i} is, or is to go. */
  public void piece(int i, int piece, long address, long length) {
    long iovec = iovec(i, receives ? piece + 1 : piece);
    Memory.putLong(iovec, address);
    Memory.putLong(iovec + 8, length);
  }

  /** Receives up to {@code count} frames; how many, or the negative error number. Never waits. */
  public int receive(int fd, int count) {
    for (int i = 0; i < count; i++) {
      Memory.putLong(message(i) + CONTROLLEN, CONTROL_BYTES);
    }
    int got = Native.C.recvmmsg(fd, memory.address(), count, MSG_DONTWAIT | MSG_TRUNC, 0);
    return got >= 0 ? got : -Native.errno();
  }

  /**
   * Sends the frames from {@code first} on; how many went, or the negative error number of the
   * first one. Never waits.
   */
  public int send(int fd, int first, int count) {
    int sent = Native.C.sendmmsg(fd, message(first), count, MSG_DONTWAIT);
    return sent >= 0 ? sent : -Native.errno();
  }

  /** Bytes of a received frame, also of what found no place. */
  public int length(int i) {
    return Math.max(0, (int) Memory.getUnsignedInt(message(i) + LEN) - HEADER_BYTES);
  }

  /** Whether the end of a received frame found no place. */
  public boolean isCut(int i) {
    return (Memory.getUnsignedInt(message(i) + FLAGS) & MSG_TRUNC) != 0;
  }

  /** The VLAN tag that the kernel took out of a received frame, as on the wire, or 0: none. */
  public long vlanTag(int i) {
    if (Memory.getLong(message(i) + CONTROLLEN) < AUX_TCI + 4) {
      return 0;
    }
    int status = (int) Memory.getUnsignedInt(control(i) + AUXDATA);
    if ((status & TP_STATUS_VLAN_VALID) == 0) {
      return 0;
    }
    int tci = Memory.getUnsignedShort(control(i) + AUX_TCI);
    int tpid =
        (status & TP_STATUS_VLAN_TPID_VALID) == 0
            ? ETH_P_8021Q
            : Memory.getUnsignedShort(control(i) + AUX_TCI + 2);
    return ((long) tpid << 16) | tci;
  }

  /** Whether a received frame is as on the wire: neither a checksum nor a cut is left to do. */
  public boolean isPlain(int i) {
    return (Memory.getUnsignedShort(header(i)) & ~DATA_VALID) == 0;
  }

  /** flags of a received frame's virtio-net header. */
  public int headerFlags(int i) {
    return Memory.getUnsignedByte(header(i));
  }

  /** gso_type of a received frame's virtio-net header. */
  public int gsoType(int i) {
    return Memory.getUnsignedByte(header(i) + 1);
  }

  /** hdr_len of a received frame's virtio-net header. */
  public int headerLength(int i) {
    return Memory.getUnsignedShort(header(i) + 2);
  }

  /** gso_size of a received frame's virtio-net header. */
  public int gsoSize(int i) {
    return Memory.getUnsignedShort(header(i) + 4);
  }

  /** csum_start of a received frame's virtio-net header. */
  public int checksumStart(int i) {
    return Memory.getUnsignedShort(header(i) + 6);
  }

  /** csum_offset of a received frame's virtio-net header. */
  public int checksumOffset(int i) {
    return Memory.getUnsignedShort(header(i) + 8);
  }

  @Override
  public void close() {
    memory.close();
  }
}
