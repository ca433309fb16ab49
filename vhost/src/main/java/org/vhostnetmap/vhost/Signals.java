// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Notifier;

/**
 * The calls and errors that one front-end is told by descriptors of its own. The first that makes
 * us wait is the last: from then on the control thread signals none of them, and whoever has the
 * connection is told to drop it. Any thread.
 */
final class Signals {
  private final Consumer<String> onWait;
  private volatile boolean over;

  /** {@code onWait} is told once, in the thread that had to wait, which descriptor it was. */
  Signals(Consumer<String> onWait) {
    this.onWait = onWait;
  }

  /** Signals {@code to}, if there is one; control thread. */
  void send(@Nullable Notifier to, String what, int ring) {
    if (to != null && !over) {
      trySend(to, what, ring);
    }
  }

  /** False when {@code to} is of no use any more. */
  boolean trySend(Notifier to, String what, int ring) {
    if (to.signal()) {
      return true;
    }
    if (to.madeUsWait() && !over) {
      over = true;
      onWait.accept("its " + what + " descriptor of ring " + ring + " made us wait");
    }
    return false;
  }
}
