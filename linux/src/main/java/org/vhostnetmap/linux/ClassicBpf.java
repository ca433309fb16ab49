// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.ArrayList;
import java.util.List;

/**
 * A classic BPF program of a few instructions over one frame: for a socket's filter, where the
 * answer is how many bytes to keep, and for the {@code tc} program. Needs no right of its own.
 */
public final class ClassicBpf {
  /** What {@link #load} can fetch beside the frame: the mark, set by SO_MARK. */
  public static final int MARK = 20;

  /** The hardware queue that the frame came by, plus one; 0 where nobody recorded it. */
  public static final int QUEUE = 24;

  private static final int LD_W_ABS = 0x20;
  private static final int JEQ_K = 0x15;
  private static final int RET_K = 0x06;
  private static final int SKF_AD_OFF = -0x1000;

  private record Instruction(int code, int ifTrue, int ifFalse, int k) {}

  private final List<Instruction> instructions = new ArrayList<>();

  /** A program without instructions. */
  public ClassicBpf() {}

  /** Fetches one of the constants of this class. */
  public ClassicBpf load(int what) {
    return add(LD_W_ABS, 0, 0, SKF_AD_OFF + what);
  }

  /** Skips {@code ifTrue} instructions when what was fetched is {@code value}, else the others. */
  public ClassicBpf jumpIfEqual(int value, int ifTrue, int ifFalse) {
    return add(JEQ_K, ifTrue, ifFalse, value);
  }

  /** Ends the program. */
  public ClassicBpf answer(int value) {
    return add(RET_K, 0, 0, value);
  }

  private ClassicBpf add(int code, int ifTrue, int ifFalse, int k) {
    instructions.add(new Instruction(code, ifTrue, ifFalse, k));
    return this;
  }

  /** As {@code tc filter add ... bpf bytecode} wants it. */
  public String text() {
    StringBuilder text = new StringBuilder().append(instructions.size());
    for (Instruction i : instructions) {
      text.append(',').append(i.code).append(' ').append(i.ifTrue).append(' ').append(i.ifFalse);
      text.append(' ').append(Integer.toUnsignedString(i.k));
    }
    return text.toString();
  }

  /** {@code struct sock_filter} each: code 0:2, jt 2:1, jf 3:1, k 4:4. */
  int write(long address) {
    long at = address;
    for (Instruction i : instructions) {
      Memory.putShort(at, i.code);
      Memory.putByte(at + 2, i.ifTrue);
      Memory.putByte(at + 3, i.ifFalse);
      Memory.putInt(at + 4, i.k);
      at += 8;
    }
    return instructions.size();
  }
}
