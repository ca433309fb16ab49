// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;

/**
 * The word that goes with a kick, call or err descriptor.
 *
 * @param index of the ring, 0 to 255, unchecked
 * @param polling bit 8: no descriptor comes with it, the other side polls
 */
public record VringFd(int index, boolean polling) {
  private static final long INDEX = 0xff;
  private static final long NO_FD = 0x100;

  /** Reads one u64; the bits above 8 must be zero. */
  public static VringFd read(ByteBuffer bytes) throws ProtocolFault {
    long word = bytes.getLong();
    if ((word & ~(INDEX | NO_FD)) != 0) {
      throw new ProtocolFault("vring descriptor word 0x" + Long.toHexString(word));
    }
    return new VringFd((int) (word & INDEX), (word & NO_FD) != 0);
  }
}
