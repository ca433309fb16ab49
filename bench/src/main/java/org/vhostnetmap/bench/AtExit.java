// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.ArrayDeque;
import java.util.Deque;

/** What is left to undo, also when this program is interrupted: the last first. */
final class AtExit {
  private static final Deque<Undoing> UNDOINGS = new ArrayDeque<>();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(AtExit::undoAll, "undo"));
  }

  /** Something to undo, and a name for when that fails. */
  interface Undoing {
    void undo() throws Exception;
  }

  private AtExit() {}

  static synchronized void add(Undoing undoing) {
    UNDOINGS.push(undoing);
  }

  /** It was undone. */
  static synchronized void remove(Undoing undoing) {
    UNDOINGS.remove(undoing);
  }

  private static synchronized void undoAll() {
    while (!UNDOINGS.isEmpty()) {
      try {
        UNDOINGS.pop().undo();
      } catch (Exception e) {
        System.err.println(e.getMessage());
      }
    }
  }
}
