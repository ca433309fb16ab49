// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FdTest {
  @Test
  void closesOnce() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          Fd fd = EventFd.create();
          fd.close();
          fd.close();
          assertFalse(fd.isOpen());
          assertEquals(-1, fd.value());
        });
  }

  @Test
  void duplicateOutlivesTheOriginal() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          Fd fd = SharedFile.create("duplicated", 5);
          try (Fd copy = fd.duplicate()) {
            assertNotEquals(fd.value(), copy.value());
            fd.close();
            assertEquals(5, FileStatus.sizeOf(copy.value()));
          }
        });
  }

  @Test
  void releasedNumberStaysOpen() throws Exception {
    Fd fd = SharedFile.create("released", 7);
    int number = fd.release();
    fd.close();
    try (Fd again = new Fd(number)) {
      assertEquals(7, FileStatus.sizeOf(again.value()));
    }
  }

  @Test
  void oneOfManyThreadsGetsTheNumber() throws Exception {
    Fd fd = EventFd.create();
    AtomicInteger got = new AtomicInteger();
    CountDownLatch start = new CountDownLatch(1);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      start.await();
                    } catch (InterruptedException e) {
                      return;
                    }
                    int number = fd.release();
                    if (number >= 0) {
                      got.incrementAndGet();
                      new Fd(number).close();
                    }
                  }));
    }
    start.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(1, got.get());
  }

  @Test
  void refusesWhatIsNoDescriptor() throws Exception {
    assertThrows(IllegalArgumentException.class, () -> new Fd(-1));
    Fd closed = EventFd.create();
    closed.close();
    ErrnoException gone = assertThrows(ErrnoException.class, closed::duplicate);
    assertEquals(Errno.EBADF, gone.errno());
    assertTrue(gone.toString().endsWith("EBADF (Bad file descriptor)"), gone.getMessage());
  }
}
