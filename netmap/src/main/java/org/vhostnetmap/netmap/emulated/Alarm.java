// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.concurrent.atomic.AtomicBoolean;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;

/**
 * Wakes one sleeper. While nobody is armed, waking costs a look at a flag; it writes to its eventfd
 * once per sleep. Owns the eventfd.
 */
final class Alarm implements AutoCloseable {
  private final AtomicBoolean armed = new AtomicBoolean();
  private final Fd event;
  private volatile int written;
  private int drained;

  Alarm() throws ErrnoException {
    event = EventFd.create();
  }

  int fd() {
    return event.value();
  }

  /** The sleeper looks once more after this, and then sleeps. */
  void arm() {
    armed.set(true);
  }

  /** The sleeper is awake. One thread, the one that arms. */
  void disarm() {
    armed.set(false);
    // Counted after the write, so a write that this misses is drained by the next disarm.
    int now = written;
    if (now != drained) {
      EventFd.drain(event.value());
      drained = now;
    }
  }

  /** Any thread. */
  void wake() {
    if (armed.get() && armed.compareAndSet(true, false)) {
      synchronized (this) {
        int fd = event.value();
        if (fd >= 0) {
          EventFd.signal(fd);
        }
        written++;
      }
    }
  }

  @Override
  public synchronized void close() {
    event.close();
  }
}
