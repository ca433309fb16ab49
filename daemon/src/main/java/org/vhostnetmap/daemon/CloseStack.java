// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * All that has been opened, closed in the reverse order. A signal may arrive while the start still
 * opens things: what comes after {@link #close} is closed at once, and the start told so. Any
 * thread.
 */
final class CloseStack implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(CloseStack.class.getName());

  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private boolean closed;

  /** Takes {@code resource} over. Throws {@link IllegalStateException} when the end has begun. */
  synchronized <T extends AutoCloseable> T add(T resource) {
    if (closed) {
      close(resource);
      throw new IllegalStateException("ended during the start");
    }
    open.push(resource);
    return resource;
  }

  /** Whether the end has begun; while it runs, the question waits. */
  synchronized boolean isClosed() {
    return closed;
  }

  /** What can't be closed is logged, and the rest closed all the same. */
  @Override
  public synchronized void close() {
    closed = true;
    while (!open.isEmpty()) {
      close(open.pop());
    }
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      LOG.log(Level.WARNING, "could not close " + resource, e);
    }
  }
}
