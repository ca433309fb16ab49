// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/**
 * A {@code struct msghdr} with room for bytes and file descriptors, for one {@code sendmsg(2)} or
 * {@code recvmsg(2)} at a time.
 *
 * <pre>
 *   msghdr (56 bytes)    name 0:8  namelen 8:4  iov 16:8  iovlen 24:8  control 32:8
 *                        controllen 40:8  flags 48:4
 *   iovec (16 bytes)     base 0:8  len 8:8
 *   cmsghdr (16 bytes)   len 0:8, with this header  level 8:4  type 12:4; then its data, and the
 *                        next one at a multiple of 8
 * </pre>
 *
 * <p>Its memory is mapped and never given back, but used again by whoever comes next: there is as
 * much of it as there were threads in such a call at one time. jnr-posix has a {@code MsgHdr}, but
 * the blocks that it tells the kernel of belong to no object that lives as long, so that the
 * collector frees them under the call (docs/decisions/0001-libraries.md).
 */
final class UnixMessage {
  /** Most bytes that one message moves. */
  static final int BYTES = 16 * 1024;

  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 0x8;

  private static final int IOV = 16;
  private static final int IOVLEN = 24;
  private static final int CONTROL = 32;
  private static final int CONTROLLEN = 40;
  private static final int FLAGS = 48;
  private static final int IOVEC = 56;
  private static final int CONTROLS = IOVEC + 16;
  private static final int CMSGHDR = 16;
  private static final int CMSG_LEVEL = 8;
  private static final int CMSG_TYPE = 12;
  private static final int CONTROL_BYTES = CMSGHDR + align(UnixConnection.MAX_FDS * Integer.BYTES);
  private static final int DATA = CONTROLS + CONTROL_BYTES;

  private static final Queue<UnixMessage> FREE = new ConcurrentLinkedQueue<>();

  private final long header;

  private UnixMessage() throws ErrnoException {
    header = Mapping.anonymous(DATA + BYTES).address();
    Memory.putLong(header + IOV, header + IOVEC);
    Memory.putLong(header + IOVLEN, 1);
    Memory.putLong(header + CONTROL, header + CONTROLS);
    Memory.putLong(header + IOVEC, header + DATA);
  }

  private static int align(int length) {
    return (length + 7) & -8;
  }

  /** One that nobody else has until {@link #giveBack}. */
  static UnixMessage take() throws ErrnoException {
    UnixMessage free = FREE.poll();
    return free != null ? free : new UnixMessage();
  }

  void giveBack() {
    FREE.add(this);
  }

  /** recvmsg of up to {@code length} bytes; how many came, or -1 as the call has it. */
  int receive(int fd, int length, int flags) {
    Memory.putLong(header + IOVEC + 8, Math.min(length, BYTES));
    Memory.putLong(header + CONTROLLEN, CONTROL_BYTES);
    return (int) Native.C.recvmsg(fd, header, flags);
  }

  /** Takes {@code length} bytes of what came, from the first on. */
  void copyTo(byte[] buffer, int offset, int length) {
    Memory.copyToArray(header + DATA, buffer, offset, length);
  }

  /** Whether descriptors that came found no place. */
  boolean isCut() {
    return (Memory.getUnsignedInt(header + FLAGS) & MSG_CTRUNC) != 0;
  }

  /** The descriptors that came, in their order; to be closed by {@code closer}. */
  List<Fd> descriptors(@Nullable Closer closer) {
    List<Fd> fds = new ArrayList<>();
    long end = header + CONTROLS + Memory.getLong(header + CONTROLLEN);
    for (long at = header + CONTROLS; at + CMSGHDR <= end; ) {
      int length = (int) Memory.getLong(at);
      if (Memory.getUnsignedInt(at + CMSG_LEVEL) == Sockets.SOL_SOCKET
          && Memory.getUnsignedInt(at + CMSG_TYPE) == SCM_RIGHTS) {
        for (int i = CMSGHDR; i + Integer.BYTES <= length; i += Integer.BYTES) {
          fds.add(new Fd((int) Memory.getUnsignedInt(at + i), closer));
        }
      }
      at += align(Math.max(length, CMSGHDR));
    }
    return fds;
  }

  /**
   * sendmsg of up to {@link #BYTES} bytes, with duplicates of {@code fds}; how many went, or -1 as
   * the call has it.
   */
  int send(int fd, byte[] buffer, int offset, int length, int[] fds, int flags) {
    int count = Math.min(length, BYTES);
    Memory.copyFromArray(buffer, offset, header + DATA, count);
    Memory.putLong(header + IOVEC + 8, count);
    long control = header + CONTROLS;
    int bytes = fds.length * Integer.BYTES;
    Memory.putLong(control, CMSGHDR + bytes);
    Memory.putInt(control + CMSG_LEVEL, Sockets.SOL_SOCKET);
    Memory.putInt(control + CMSG_TYPE, SCM_RIGHTS);
    for (int i = 0; i < fds.length; i++) {
      Memory.putInt(control + CMSGHDR + (long) Integer.BYTES * i, fds[i]);
    }
    Memory.putLong(header + CONTROLLEN, fds.length == 0 ? 0 : CMSGHDR + align(bytes));
    return (int) Native.C.sendmsg(fd, header, flags);
  }
}
