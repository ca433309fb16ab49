// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.BitSet;

/** Numbers to give out and take back, each at most once. Its owner's lock guards it. */
final class FreeList {
  private final int size;
  private final int first;
  private final int[] stack;
  private final BitSet taken;
  private int left;

  /** Gives out {@code first} to {@code size - 1}. */
  FreeList(int size, int first) {
    this.size = size;
    this.first = first;
    stack = new int[Math.max(0, size - first)];
    taken = new BitSet(size);
    reset();
  }

  /** Everything is free; the lowest number goes out first. */
  void reset() {
    taken.clear();
    left = stack.length;
    for (int i = 0; i < left; i++) {
      stack[i] = size - 1 - i;
    }
  }

  /** A number that nobody has, or -1. */
  int take() {
    if (left == 0) {
      return -1;
    }
    int number = stack[--left];
    taken.set(number);
    return number;
  }

  /** Takes a number back; false when nobody had it. */
  boolean free(int number) {
    if (!isTaken(number)) {
      return false;
    }
    taken.clear(number);
    stack[left++] = number;
    return true;
  }

  boolean isTaken(int number) {
    return number >= first && number < size && taken.get(number);
  }

  int left() {
    return left;
  }

  int taken() {
    return stack.length - left;
  }
}
