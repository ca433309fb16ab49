// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Arrays;

/**
 * Frames that were cut, and of which only the first pieces found room: their sources offer them
 * again, and the sink goes on where it stopped. Each source has but one, since what is behind it
 * waits; but several sources may take turns. Known by length and the headers that the pieces have
 * in common, not by place, which the next frame may have too. One thread at a time.
 */
final class BegunFrame {
  /** The place of no frame. */
  static final int NONE = -1;

  /** Twice the rings of one guest; a frame beyond them begins anew, so that pieces come twice. */
  private static final int FRAMES = 16;

  private final int[] identity = new int[FRAMES];
  private final int[] length = new int[FRAMES];
  private final int[] pieces = new int[FRAMES]; // 0 where there is no frame
  private int held; // places that have one
  private int next; // to be given up when there is no place

  /**
   * Whether there is no frame at all. Without the lock, a thread that has begun a frame and not
   * seen it through never hears so.
   */
  boolean isEmpty() {
    return held == 0;
  }

  /** Whether a frame of this length is here, whatever its headers. */
  boolean mayHold(int frameLength) {
    for (int i = 0; i < FRAMES; i++) {
      if (pieces[i] > 0 && length[i] == frameLength) {
        return true;
      }
    }
    return false;
  }

  /** The place of the frame that {@code cut} was begun with, or {@link #NONE}. */
  int find(SoftwareOffload cut, int frameLength) {
    if (!mayHold(frameLength)) {
      return NONE;
    }
    int wanted = cut.identity();
    for (int i = 0; i < FRAMES; i++) {
      if (pieces[i] > 0
          && pieces[i] < cut.frames()
          && length[i] == frameLength
          && identity[i] == wanted) {
        return i;
      }
    }
    return NONE;
  }

  /** How many pieces of the frame at a place are with the receiver already. */
  int pieces(int place) {
    return place == NONE ? 0 : pieces[place];
  }

  /**
   * The first {@code count} pieces of a frame found room.
   *
   * @param found the frame's place so far
   */
  void keep(int found, SoftwareOffload cut, int frameLength, int count) {
    int place = found == NONE ? newPlace() : found;
    identity[place] = cut.identity();
    length[place] = frameLength;
    pieces[place] = count;
  }

  private int newPlace() {
    for (int i = 0; i < FRAMES; i++) {
      if (pieces[i] == 0) {
        held++;
        return i;
      }
    }
    next = (next + 1) % FRAMES;
    return next;
  }

  /** The frame at a place, if any, is through or was dropped. */
  void forget(int place) {
    if (place != NONE) {
      pieces[place] = 0;
      held--;
    }
  }

  /** All frames begin anew. */
  void forgetAll() {
    Arrays.fill(pieces, 0);
    held = 0;
  }
}
