// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class CloserTest {
  @Test
  void holdsNobodyUpAndTellsWhenTooMuchWaits() {
    Closer closer = new Closer("slow");
    CountDownLatch answer = new CountDownLatch(1);
    closer.run(() -> awaitQuietly(answer));
    for (int i = 1; i < Closer.MOST; i++) {
      closer.run(() -> {});
    }
    assertFalse(closer.isFull());
    closer.run(() -> {});
    assertTrue(closer.isFull());
    answer.countDown();
    Awaitility.await().until(() -> !closer.isFull());
  }

  @Test
  void aThreadThatIsNotNeededEnds() {
    Closer closer = new Closer("soon idle");
    Fd file = new Fd(Fd.duplicateOrNegative(0), closer);
    file.close();
    assertFalse(file.isOpen());
    Awaitility.await()
        .until(
            () ->
                Thread.getAllStackTraces().keySet().stream()
                    .noneMatch(thread -> thread.getName().equals("soon idle")));
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
