// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.*;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.fakes.Descriptors;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixListener;

/** Call and err descriptors that make whoever signals them wait: once, and then never again. */
class HostileSignalsTest {
  /** A second would be noticed; the watch needs two tenths. */
  private static final long SOON_NANOS = 1_000_000_000L;

  private final RecordingPlane plane = new RecordingPlane();
  private TestPort innocent;
  private UnixListener listener;
  private VhostUserBackend port;
  @TempDir Path directory;

  @BeforeEach
  void open() throws IOException {
    innocent = TestPort.of(1);
    listener = UnixListener.bind(directory.resolve("s"), 0600, null);
    port =
        VhostUserBackend.adopt(
            innocent.loop,
            Fd.duplicate(listener.fd()),
            Offer.net(1, false),
            plane,
            Duration.ofMillis(500));
  }

  @AfterEach
  void close() throws IOException {
    port.close();
    listener.close();
    innocent.close();
  }

  private FakeFrontend frontend() throws IOException {
    return FakeFrontend.connect(directory.resolve("s"));
  }

  /** Until the front-end is dropped no answer about another port may be late. */
  private void assertDroppedFor(String what) {
    long end = System.nanoTime() + 10_000_000_000L;
    while (port.status().counters().penances() == 0 && System.nanoTime() < end) {
      long start = System.nanoTime();
      innocent.status();
      assertTrue(System.nanoTime() - start < SOON_NANOS, "another port had to wait");
    }
    assertEquals("front-end dropped: its " + what + " made us wait", port.status().lastTrouble());
    assertEquals(1, port.status().counters().penances());
    assertEquals(List.of(), plane.running());
  }

  @Test
  void anErrDescriptorHoldsTheControlThreadUpOnce() throws IOException {
    try (FakeFrontend hostile = frontend();
        Fd err = EventFd.create();
        Fd kick = EventFd.create()) {
      hostile.say(SET_VRING_ERR, u64(0), err.value());
      hostile.barrier();
      Descriptors.makeSignalsWait(err);
      try {
        for (int i = 0; i < 100; i++) {
          hostile.say(SET_VRING_ENABLE, state(0, 1));
          hostile.say(SET_VRING_KICK, u64(0), kick.value()); // a ring without a size
        }
      } catch (IOException e) {
        // Dropped, as it should be.
      }
      assertDroppedFor("err descriptor of ring 0");
    }
  }

  @Test
  void aCallDescriptorHoldsAWorkerUpOnce() throws IOException {
    try (FakeFrontend hostile = frontend().bringUp(1);
        Fd call = EventFd.create()) {
      hostile.say(SET_VRING_CALL, u64(0), call.value());
      hostile.barrier();
      Descriptors.makeSignalsWait(call);
      Vring ring = plane.ring(0);
      assertFalse(ring.call());
      long start = System.nanoTime();
      assertFalse(ring.call());
      assertTrue(System.nanoTime() - start < SOON_NANOS / 10, "it is not tried again");
      assertDroppedFor("call descriptor of ring 0");
    }
  }

  @Test
  void thePortRestsBeforeItServesTheNext() throws IOException {
    long start;
    try (FakeFrontend hostile = frontend().bringUp(1);
        Fd call = EventFd.create()) {
      hostile.say(SET_VRING_CALL, u64(0), call.value());
      hostile.barrier();
      Descriptors.makeSignalsWait(call);
      start = System.nanoTime();
      plane.ring(0).call();
      assertDroppedFor("call descriptor of ring 0");
    }
    try (FakeFrontend next = frontend().bringUp(1)) {
      assertTrue(System.nanoTime() - start > SOON_NANOS, "served at once");
      assertEquals(List.of(0, 1), plane.running());
      assertTrue(next.features() != 0);
    }
  }
}
