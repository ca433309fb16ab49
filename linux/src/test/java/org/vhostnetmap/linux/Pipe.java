// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.Out;
import org.vhostnetmap.linux.libc.Native;

/** A non-blocking pipe, which user-mode Linux gives in place of an eventfd. */
record Pipe(Fd reader, Fd writer) implements AutoCloseable {
  private static final int O_NONBLOCK = 0x800;

  /** What only tests call. */
  public interface C {
    int pipe2(@Out int[] fds, int flags);
  }

  static Pipe open() {
    Native.load();
    int[] fds = new int[2];
    assertEquals(0, LibraryLoader.create(C.class).load("c").pipe2(fds, O_NONBLOCK));
    return new Pipe(new Fd(fds[0]), new Fd(fds[1]));
  }

  @Override
  public void close() {
    reader.close();
    writer.close();
  }
}
