// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.libc.Native;

/** The calls that a worker makes per frame or per burst leave nothing for the garbage collector. */
class AllocationTest {
  private static final int O_WRONLY = 1;
  private static final int WARM_UP = 200_000;
  private static final int CALLS = 1_000_000;
  private static final double MOST_BYTES_PER_CALL = 1.0;

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private Fd event;
  private Fd sink;
  private Mapping memory;

  @BeforeEach
  void open() throws Exception {
    event = EventFd.create();
    memory = Mapping.anonymous(8192);
    sink = new Fd(Native.C.open("/dev/null", O_WRONLY, 0));
  }

  @AfterEach
  void close() {
    event.close();
    sink.close();
    memory.close();
  }

  @Test
  void signalsAndDrainsForNothing() {
    assertFree(
        "EventFd",
        () -> {
          EventFd.signal(event.value());
          EventFd.drain(event.value());
        });
  }

  @Test
  void awaitsForNothing() throws Exception {
    try (Epoll epoll = new Epoll(4)) {
      epoll.add(event.value(), Epoll.IN, 77);
      EventFd.signal(event.value());
      assertFree("Epoll.await", () -> assertReady(epoll, epoll.await(0)));
      assertFree("Epoll.awaitMicros", () -> assertReady(epoll, epoll.awaitMicros(0)));
    }
  }

  private static void assertReady(Epoll epoll, int ready) {
    if (ready != 1 || epoll.token(0) != 77 || epoll.events(0) != Epoll.IN) {
      throw new AssertionError("not ready");
    }
  }

  @Test
  void readsAndWritesFramesForNothing() {
    int empty = event.value();
    int out = sink.value();
    long iovec = memory.address() + 4096;
    Memory.putLong(iovec, memory.address());
    Memory.putLong(iovec + 8, 60);
    assertEquals(-Errno.EAGAIN, Tap.read(empty, memory.address(), 2048));
    assertFree("Tap.read of none", () -> Tap.read(empty, memory.address(), 2048));
    assertEquals(60, Tap.write(out, memory.address(), 60));
    assertFree("Tap.write", () -> Tap.write(out, memory.address(), 60));
    assertEquals(60, Tap.writev(out, iovec, 1));
    assertFree("Tap.writev", () -> Tap.writev(out, iovec, 1));
  }

  @Test
  void fillsAndCopiesForNothing() {
    long from = memory.address();
    assertFree("Memory.fill", () -> Memory.fill(from, 12, 0));
    assertFree("Memory.copy", () -> Memory.copy(from, from + 4096, 1514));
  }

  private void assertFree(String what, Runnable call) {
    repeat(call, WARM_UP);
    long before = threads.getCurrentThreadAllocatedBytes();
    repeat(call, CALLS);
    double perCall = (threads.getCurrentThreadAllocatedBytes() - before) / (double) CALLS;
    assertTrue(perCall < MOST_BYTES_PER_CALL, what + " allocates " + perCall + " bytes per call");
  }

  private static void repeat(Runnable call, int times) {
    for (int i = 0; i < times; i++) {
      call.run();
    }
  }
}
