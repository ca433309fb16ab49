// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * Frames that were cut, and of which only the first pieces found room: their sources offer them
 * again, and the sink goes on where it stopped. Each source has but one, since what is behind it
 * waits; but several sources may take turns. Known by length and the headers that the pieces have
 * in common, not by place, which the next frame may have too. One thread at a time.
 */
final class BegunFrame {
  /** More than the rings of any guest; a frame beyond them would begin anew. */
  private static final int FRAMES = 16;

  private static final int NONE = -1;

  private final int[] identity = new int[FRAMES];
  private final int[] length = new int[FRAMES];
  private final int[] pieces = new int[FRAMES]; // 0 where there is no frame

  /** Each worker asks about one frame at a time, but another may ask before it drops its own. */
  private final long[] asker = new long[FRAMES]; // 0 for nobody

  private int next; // to be given up when there is no place

  /** How many pieces of the frame that {@code cut} was begun with are with the receiver already. */
  int pieces(SoftwareOffload cut, int frameLength) {
    int wanted = cut.identity();
    int found = NONE;
    long me = Thread.currentThread().threadId();
    for (int i = 0; i < FRAMES; i++) {
      if (asker[i] == me) {
        asker[i] = 0;
      }
      if (pieces[i] > 0
          && pieces[i] < cut.frames()
          && length[i] == frameLength
          && identity[i] == wanted) {
        found = i;
      }
    }
    if (found == NONE) {
      return 0;
    }
    asker[found] = me;
    return pieces[found];
  }

  /** The first {@code count} pieces of the frame that was asked about found room. */
  void keep(SoftwareOffload cut, int frameLength, int count) {
    int asked = asked();
    int place = asked == NONE ? place() : asked;
    identity[place] = cut.identity();
    length[place] = frameLength;
    pieces[place] = count;
    asker[place] = Thread.currentThread().threadId();
  }

  /** The frame that this thread asked about last is through, or was dropped. */
  void forget() {
    int asked = asked();
    if (asked != NONE) {
      pieces[asked] = 0;
      asker[asked] = 0;
    }
  }

  private int asked() {
    long me = Thread.currentThread().threadId();
    for (int i = 0; i < FRAMES; i++) {
      if (asker[i] == me) {
        return i;
      }
    }
    return NONE;
  }

  private int place() {
    for (int i = 0; i < FRAMES; i++) {
      if (pieces[i] == 0) {
        return i;
      }
    }
    next = (next + 1) % FRAMES;
    return next;
  }
}
