// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** The netmap module of the kernel that the tests run on. */
final class RealModule {
  private static final boolean REQUIRED = System.getenv("NETMAP_KERNEL_TEST") != null;

  private RealModule() {}

  /**
   * Skips the test where there is no module, saying why; not in the guest of
   * scripts/test-netmap-kernel, whose only purpose it is.
   */
  static void require() {
    if (!REQUIRED) {
      assumeTrue(
          Files.isWritable(Path.of("/dev/netmap")),
          "no netmap module in this kernel; scripts/test-netmap-kernel runs this in a guest");
    }
  }
}
