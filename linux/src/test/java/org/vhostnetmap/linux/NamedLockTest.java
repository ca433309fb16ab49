// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class NamedLockTest {
  @Test
  void oneHolderAtATime() throws Throwable {
    String name = "vhost-netmap-test-" + ProcessHandle.current().pid();
    NamedLock lock = NamedLock.take(name);
    ErrnoException taken = assertThrows(ErrnoException.class, () -> NamedLock.take(name));
    assertEquals(Errno.EADDRINUSE, taken.errno());
    assertTrue(taken.toString().contains(name), taken.toString());
    NamedLock.take(name + "-2").close();
    lock.close();
    lock.close();
    OpenFiles.assertNoneLeftBy(() -> NamedLock.take(name).close());
  }
}
