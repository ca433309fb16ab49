// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.Arrays;

/**
 * A BPF program of a few instructions, written by hand: eight bytes each, opcode, registers, offset
 * and constant as in {@code linux/bpf.h}. Registers are 0 to 10; register 1 is the context at
 * entry, register 0 the answer at exit, a call takes its arguments in 1 to 5 and answers in 0.
 */
public final class BpfCode {
  private static final int LDX_W = 0x61;
  private static final int LDX_H = 0x69;
  private static final int LDX_B = 0x71;
  private static final int STX_W = 0x63;
  private static final int LD_IMM64 = 0x18;
  private static final int MOV64_IMM = 0xb7;
  private static final int MOV64_REG = 0xbf;
  private static final int ADD64_IMM = 0x07;
  private static final int JA = 0x05;
  private static final int JEQ_IMM = 0x15;
  private static final int JNE_IMM = 0x55;
  private static final int JGT_REG = 0x2d;
  private static final int CALL = 0x85;
  private static final int EXIT = 0x95;
  private static final int PSEUDO_MAP_FD = 1;

  private long[] instructions = new long[16];
  private int count;

  /** A program without instructions. */
  public BpfCode() {}

  /** {@code to = constant}. */
  public BpfCode move(int to, int constant) {
    return add(MOV64_IMM, to, 0, 0, constant);
  }

  /** {@code to = from}. */
  public BpfCode copy(int to, int from) {
    return add(MOV64_REG, to, from, 0, 0);
  }

  /** {@code to += constant}. */
  public BpfCode addConstant(int to, int constant) {
    return add(ADD64_IMM, to, 0, 0, constant);
  }

  /** {@code to =} the 32 bits at {@code from + offset}. */
  public BpfCode loadWord(int to, int from, int offset) {
    return add(LDX_W, to, from, offset, 0);
  }

  /** {@code to =} the 16 bits at {@code from + offset}. */
  public BpfCode loadHalf(int to, int from, int offset) {
    return add(LDX_H, to, from, offset, 0);
  }

  /** {@code to =} the byte at {@code from + offset}. */
  public BpfCode loadByte(int to, int from, int offset) {
    return add(LDX_B, to, from, offset, 0);
  }

  /** The 32 bits at {@code to + offset} {@code = from}. */
  public BpfCode storeWord(int to, int offset, int from) {
    return add(STX_W, to, from, offset, 0);
  }

  /** {@code to =} the map behind a descriptor, which may be closed once the program is loaded. */
  public BpfCode loadMap(int to, int map) {
    return add(LD_IMM64, to, PSEUDO_MAP_FD, 0, map).add(0, 0, 0, 0, 0);
  }

  /** Skips {@code distance} instructions; a {@link #loadMap} counts as two. */
  public BpfCode jump(int distance) {
    return add(JA, 0, 0, distance, 0);
  }

  /** Skips {@code distance} instructions when the register is {@code constant}. */
  public BpfCode jumpIfEqual(int register, int constant, int distance) {
    return add(JEQ_IMM, register, 0, distance, constant);
  }

  /** Skips {@code distance} instructions when the register is not {@code constant}. */
  public BpfCode jumpUnlessEqual(int register, int constant, int distance) {
    return add(JNE_IMM, register, 0, distance, constant);
  }

  /** Skips {@code distance} instructions when register {@code left} is above {@code right}. */
  public BpfCode jumpIfAbove(int left, int right, int distance) {
    return add(JGT_REG, left, right, distance, 0);
  }

  /** Calls a helper function by its number in {@code linux/bpf.h}. */
  public BpfCode call(int helper) {
    return add(CALL, 0, 0, 0, helper);
  }

  /** Ends the program with what is in register 0. */
  public BpfCode exit() {
    return add(EXIT, 0, 0, 0, 0);
  }

  private BpfCode add(int opcode, int to, int from, int offset, int constant) {
    if (count == instructions.length) {
      instructions = Arrays.copyOf(instructions, 2 * count);
    }
    instructions[count++] =
        opcode
            | (long) to << 8
            | (long) from << 12
            | (offset & 0xffffL) << 16
            | (long) constant << 32;
    return this;
  }

  /** The instructions so far. */
  long[] instructions() {
    return Arrays.copyOf(instructions, count);
  }
}
