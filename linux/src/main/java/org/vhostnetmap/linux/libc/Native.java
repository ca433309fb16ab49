// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux.libc;

import jnr.ffi.LastError;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Runtime;

/// Loads the C library once, on first use. Every use of a jnr library has to come through here
/// first, for this class sets the property that makes jnr pass a sixth argument rightly.
public final class Native {
  /** The C library. */
  public static final LibC C;

  private static final Runtime RUNTIME;

  static {
    // jnr-ffi's x86-64 stubs (2.2.17 to 2.3.4) pass garbage as the sixth primitive argument, mmap's
    // offset.
    System.setProperty("jnr.ffi.x86asm.enabled", "false");
    C = LibraryLoader.create(LibC.class).failImmediately().load("c");
    RUNTIME = Runtime.getRuntime(C);
  }

  private Native() {}

  /** Does nothing but load this class, before a jnr library is used directly. */
  public static void load() {}

  /**
   * The error number of this thread's last call through {@link #C} (or jnr-unixsocket) that failed.
   */
  public static int errno() {
    return LastError.getLastError(RUNTIME);
  }
}
