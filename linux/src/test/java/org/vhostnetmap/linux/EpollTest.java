// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EpollTest {
  private Epoll epoll;
  private Fd first;
  private Fd second;

  @BeforeEach
  void open() throws Exception {
    epoll = new Epoll(8);
    first = EventFd.create();
    second = EventFd.create();
  }

  @AfterEach
  void close() {
    epoll.close();
    first.close();
    second.close();
  }

  @Test
  void givesBackTheTokenOfEachReadyOne() throws Exception {
    epoll.add(first.value(), Epoll.IN, 0x1122334455667788L);
    epoll.add(second.value(), Epoll.IN, -2);
    EventFd.signal(first.value());
    EventFd.signal(second.value());
    assertEquals(2, epoll.await(1000));
    assertEquals(Set.of(0x1122334455667788L, -2L), Set.of(epoll.token(0), epoll.token(1)));
    assertEquals(Epoll.IN, epoll.events(0));
  }

  @Test
  void edgeIsToldOnce() throws Exception {
    epoll.add(first.value(), Epoll.IN | Epoll.EDGE, 1);
    EventFd.signal(first.value());
    assertEquals(1, epoll.await(0));
    assertEquals(0, epoll.await(0));
    EventFd.signal(first.value());
    assertEquals(1, epoll.await(0));
  }

  @Test
  void modifyChangesWhatIsWatched() throws Exception {
    epoll.add(first.value(), Epoll.IN, 1);
    assertEquals(0, epoll.await(0));
    epoll.modify(first.value(), Epoll.OUT, 9);
    assertEquals(1, epoll.await(0));
    assertEquals(9, epoll.token(0));
    assertEquals(Epoll.OUT, epoll.events(0));
  }

  @Test
  void removeForgetsAndMindsNoStranger() throws Exception {
    epoll.add(first.value(), Epoll.IN, 1);
    EventFd.signal(first.value());
    epoll.remove(first.value());
    epoll.remove(second.value());
    epoll.remove(-1);
    assertEquals(0, epoll.await(0));
  }

  @Test
  void waitsNoShorterThanAsked() {
    long start = System.nanoTime();
    assertEquals(0, epoll.awaitMicros(1500));
    assertTrue(System.nanoTime() - start >= 1_500_000);
    start = System.nanoTime();
    assertEquals(0, epoll.await(3));
    assertTrue(System.nanoTime() - start >= 2_900_000);
  }

  @Test
  void closedOneRefusesInsteadOfCrashing() throws Throwable {
    OpenFiles.assertNoneLeftBy(() -> new Epoll(4).close());
    epoll.close();
    assertThrows(ErrnoException.class, () -> epoll.add(first.value(), Epoll.IN, 1));
    assertEquals(0, epoll.await(0));
    assertEquals(0, epoll.awaitMicros(0));
    epoll.remove(first.value());
    epoll.close();
  }
}
