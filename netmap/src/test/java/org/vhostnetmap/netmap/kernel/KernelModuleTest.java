// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class KernelModuleTest {
  @Test
  void deviceIsThere() {
    RealModule.require();
    assertTrue(Files.exists(Path.of("/dev/netmap")));
  }
}
