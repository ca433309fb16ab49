// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SharedFileTest {
  @Test
  void sealedFileCannotShrink() throws Exception {
    try (Fd file = SharedFile.create("sealed", 8192, true)) {
      assertEquals(0, SharedFile.seals(file.value()));
      assertTrue(SharedFile.addShrinkSeal(file.value()));
      assertEquals(SharedFile.SEAL_SHRINK, SharedFile.seals(file.value()));
      ErrnoException e =
          assertThrows(ErrnoException.class, () -> SharedFile.truncate(file.value(), 4096));
      assertEquals(Errno.EPERM, e.errno());
      SharedFile.truncate(file.value(), 16384);
      assertEquals(16384, FileStatus.sizeOf(file.value()));
    }
  }

  @Test
  void fileSealedAgainstSealsTakesNone() throws Exception {
    try (Fd file = SharedFile.create("unsealable", 4096)) {
      assertEquals(SharedFile.SEAL_SEAL, SharedFile.seals(file.value()));
      assertFalse(SharedFile.addShrinkSeal(file.value()));
    }
  }

  @Test
  void eventfdHasNoSeals() throws Exception {
    try (Fd event = EventFd.create()) {
      assertEquals(-1, SharedFile.seals(event.value()));
    }
  }

  @Test
  void failedCreationLeavesNoDescriptor() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> assertThrows(ErrnoException.class, () -> SharedFile.create("negative", -1)));
  }
}
