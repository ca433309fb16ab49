// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import jnr.ffi.LibraryLoader;
import org.junit.jupiter.api.Assumptions;
import org.vhostnetmap.linux.libc.Native;

/**
 * A network of its own for one thread and the programs that it starts, gone when the thread ends.
 */
final class NetworkNamespace {
  private static final int CLONE_NEWNET = 0x40000000;

  /** What only tests call. */
  public interface C {
    int unshare(int flags);
  }

  private NetworkNamespace() {}

  /**
   * Runs {@code body} there, or skips the test, saying why, when this process has not the right to.
   */
  static void run(Callable<?> body) throws Exception {
    Native.load();
    C c = LibraryLoader.create(C.class).load("c");
    FutureTask<Integer> task =
        new FutureTask<>(
            () -> {
              if (c.unshare(CLONE_NEWNET) < 0) {
                return Native.errno();
              }
              body.call();
              return 0;
            });
    Thread thread = Thread.ofPlatform().name("namespace").start(task);
    thread.join();
    int error = task.get();
    Assumptions.assumeTrue(
        error == 0, () -> "no network namespace: unshare says " + Errno.describe(error));
  }
}
