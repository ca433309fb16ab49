// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** Connecting to sockets of processes that have only just been started. */
final class UnixStream {
  private static final long STEP_NANOS = 20_000_000;

  private UnixStream() {}

  /** Connects as soon as {@code owner} listens; fails when it ends or the time is over. */
  static SocketChannel connect(Path path, ManagedProcess owner, Duration time) throws IOException {
    long deadline = System.nanoTime() + time.toNanos();
    while (true) {
      try {
        return SocketChannel.open(UnixDomainSocketAddress.of(path));
      } catch (IOException e) {
        owner.requireAlive();
        if (System.nanoTime() > deadline) {
          throw new IOException("nobody listens on " + path, e);
        }
        LockSupport.parkNanos(STEP_NANOS);
      }
    }
  }
}
