// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.vhost.Offer;

/**
 * A real bridge with real workers, and guests whose front-ends and drivers are fakes. Closing it
 * checks that every frame has exactly one fate.
 */
final class Lan implements AutoCloseable {
  private static final long DEADLINE_NANOS = 10_000_000_000L;

  final EventLoop loop = new EventLoop("control");
  final Bridge bridge;
  private final List<Guest> guests = new ArrayList<>();

  Lan() throws Exception {
    this(Bridge.Settings.DEFAULT);
  }

  Lan(Bridge.Settings settings) throws Exception {
    bridge = new Bridge(loop, settings);
  }

  static Bridge.Settings workers(int workers) {
    return new Bridge.Settings(workers, 50, 300);
  }

  /** A guest with room for so many queue pairs of 256 entries; its driver is not up yet. */
  Guest guest(int queuePairs) throws Exception {
    return guest(queuePairs, 256);
  }

  Guest guest(int queuePairs, int ringSize) throws Exception {
    return guest(Offer.net(queuePairs, false), ringSize);
  }

  /** A guest whose driver leaves everything to the device that it may, and takes everything. */
  Guest offloading() throws Exception {
    Guest guest = guest(Offer.net(1, false).withOffloads(), 256);
    return guest.takingAlso(Guest.LEAVES | Guest.TAKES);
  }

  Guest guest(Offer offer, int ringSize) throws Exception {
    Guest guest = new Guest("guest" + guests.size(), loop, bridge, offer, ringSize);
    guests.add(guest);
    bridge.add(guest.port);
    return guest;
  }

  Lan add(Port port) {
    bridge.add(port);
    return this;
  }

  Lan start() throws Exception {
    loop.start();
    loop.call(
        () -> {
          bridge.start();
          return this;
        });
    return this;
  }

  BridgeStatus status() {
    return call(bridge::status);
  }

  QueueStatus queue(String port, String queue) {
    return status().ports().stream()
        .filter(p -> p.name().equals(port))
        .flatMap(p -> p.queues().stream())
        .filter(q -> q.queue().equals(queue))
        .findFirst()
        .orElseThrow();
  }

  /** Frames that some queue dropped for this reason; 0 when the queue is not shown. */
  long drops(String port, String queue, DropReason reason) {
    return status().ports().stream()
        .filter(p -> p.name().equals(port))
        .flatMap(p -> p.queues().stream())
        .filter(q -> q.queue().equals(queue))
        .mapToLong(q -> q.drops().getOrDefault(reason, 0L))
        .sum();
  }

  /** Waits, busily at first since it is about microseconds, for at most 10 seconds. */
  static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + DEADLINE_NANOS;
    int looks = 0;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("waited in vain for " + what);
      }
      if (++looks < 1000) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(10_000);
      }
    }
  }

  @Override
  public void close() {
    BridgeStatus last = status();
    call(
        () -> {
          bridge.close();
          return this;
        });
    guests.forEach(Guest::close);
    loop.close();
    assertEquals(0, last.unexplained(), () -> "frames without a fate: " + last);
  }

  private <T> T call(Callable<T> task) {
    try {
      return loop.call(task);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
