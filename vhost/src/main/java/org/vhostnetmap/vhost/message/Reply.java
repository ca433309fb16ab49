// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The bytes of a reply, header and payload, built in a zeroed array so that nothing of ours leaks
 * in padding. The flags are exactly 0x5.
 */
public final class Reply {
  private Reply() {}

  /** A reply of one u64; also the acknowledgement (0 = done, else refused). */
  public static byte[] u64(int number, long value) {
    byte[] reply = new byte[Header.BYTES + Long.BYTES];
    start(reply, number).putLong(value);
    return reply;
  }

  /** A reply of a ring's index and a number. */
  public static byte[] vringState(int number, VringState state) {
    byte[] reply = new byte[Header.BYTES + 2 * Integer.BYTES];
    start(reply, number).putInt((int) state.index()).putInt((int) state.number());
    return reply;
  }

  /** A reply without payload: the error form of GET_CONFIG. */
  public static byte[] empty(int number) {
    byte[] reply = new byte[Header.BYTES];
    start(reply, number);
    return reply;
  }

  private static ByteBuffer start(byte[] reply, int number) {
    ByteBuffer bytes = ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder());
    return bytes.putInt(number).putInt(Header.REPLY_FLAGS).putInt(reply.length - Header.BYTES);
  }
}
