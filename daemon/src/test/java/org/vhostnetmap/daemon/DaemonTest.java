// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Parts of its life; {@link ProcessTest} sees the whole. */
@Timeout(20)
class DaemonTest {
  @Test
  void anEndInGoodOrderIsStatus0() {
    var ended = new AtomicBoolean();
    assertEquals(ExitStatus.OK, Daemon.within(Duration.ofSeconds(10), () -> ended.set(true)));
    assertEquals(true, ended.get());
  }

  @Test
  void anEndThatHangsIsGivenUp() {
    var never = new CountDownLatch(1);
    ExitStatus status =
        Daemon.within(
            Duration.ofMillis(50),
            () -> {
              try {
                never.await();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    never.countDown();
    assertEquals(ExitStatus.SOFTWARE, status);
  }

  @Test
  void aPortAndItsStateAreJoinedByOneColon() {
    assertEquals("null: forgets every frame", Wiring.line("null:", "forgets every frame"));
    assertEquals("vhost:/a: waiting", Wiring.line("vhost:/a", "waiting"));
  }
}
