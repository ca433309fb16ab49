// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Map;

/**
 * One back-end with three ports: the hostile guest, a good neighbour, and a generator that sends to
 * the neighbour all the time.
 */
final class Neighbourhood implements AutoCloseable {
  private static final byte[] GENERATOR = {2, 0, 0, 0, 0, 1};
  private static final byte[] NEIGHBOUR = {2, 0, 0, 0, 0, 2}; // where the generator sends
  private static final byte[] HOSTILE = {0x52, 0x54, 0, 0x66, 0, 1};
  private static final int EXPERIMENTAL = 0x88b5; // EtherType for local use
  private static final int RECEIVE_SIZE = 256;

  private final Scratch scratch = new Scratch();
  final BackendProcess backend;
  final GoodNeighbour neighbour;
  final QtestGuest hostile;
  private final long pid;
  private long generated;
  private int number;

  Neighbourhood() throws IOException {
    String hostilePort = "vhost:" + scratch.path("hostile");
    String neighbourPort = "vhost:" + scratch.path("neighbour");
    backend = BackendProcess.start(null, hostilePort, neighbourPort, "pktgen:rate=500");
    pid = backend.status().at("pid").number();
    neighbour = new GoodNeighbour(scratch.path("neighbour"), NEIGHBOUR);
    neighbour.send(frame(GENERATOR, NEIGHBOUR, 100)); // from now on the bridge knows where it lives
    hostile = new QtestGuest(scratch.path("hostile"), HOSTILE, RECEIVE_SIZE);
    heal();
  }

  /** A frame of a kind of its own, with a number in it that no other frame has. */
  private byte[] frame(byte[] destination, byte[] source, int length) {
    byte[] frame = new byte[length];
    System.arraycopy(destination, 0, frame, 0, 6);
    System.arraycopy(source, 0, frame, 6, 6);
    frame[12] = (byte) (EXPERIMENTAL >>> 8);
    frame[13] = (byte) EXPERIMENTAL;
    number++;
    for (int i = 14; i < length; i++) {
      frame[i] = (byte) (number + i);
    }
    return frame;
  }

  byte[] toNeighbour(int length) {
    return frame(NEIGHBOUR, HOSTILE, length);
  }

  byte[] toGenerator(int length) {
    return frame(GENERATOR, HOSTILE, length);
  }

  /** The neighbour sends a frame to the hostile guest, whether that has its rings up or not. */
  byte[] sendToHostile() throws IOException {
    byte[] frame = frame(HOSTILE, NEIGHBOUR, 200);
    neighbour.send(frame);
    return frame;
  }

  /** Waits until ring {@code index} of the hostile guest is broken; why. */
  String awaitFault(int index) throws IOException {
    QtestGuest.await("ring " + index + " stops", () -> ring(index).has("fault"));
    assertEquals("broken", ring(index).at("state").string());
    return ring(index).at("fault").string();
  }

  Json ring(int index) throws IOException {
    return backend.port("hostile").at("vhost", "rings", index);
  }

  /** Drops of a queue of the hostile guest, by reason. */
  long drops(String queue, String reason) throws IOException {
    Json drops = queue(backend.port("hostile"), queue).at("drops");
    return drops.has(reason) ? drops.at(reason).number() : 0;
  }

  private static Json queue(Json port, String name) {
    return port.at("queues").list().stream()
        .filter(queue -> queue.at("name").string().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no queue " + name + " in " + port));
  }

  /** Nobody but the hostile guest has noticed anything. */
  void assertUnharmed() throws IOException {
    assertTrue(backend.isAlive(), backend.log());
    Json status = backend.status();
    assertEquals(pid, status.at("pid").number(), "the same process");
    assertEquals(0, status.at("unexplained").number(), status.toString());
    Json port = backend.port("neighbour");
    for (String name : new String[] {"rx0", "tx0"}) {
      assertEquals(Map.of(), queue(port, name).at("drops").members(), "neighbour's " + name);
    }
    Json generator = queue(backend.port("pktgen"), "in");
    assertEquals(Map.of(), generator.at("drops").members(), "generator");
    long delivered = queue(port, "rx0").at("frames").number();
    QtestGuest.await("neighbour sees what was delivered", () -> neighbour.received() >= delivered);
    long now = generator.at("frames").number();
    assertTrue(now > generated, "the generator stands still at " + now);
    generated = now;
  }

  /** After a reset the hostile guest's device passes a frame each way, byte for byte. */
  void heal() throws IOException {
    hostile.start(QtestGuest.FEATURES);
    exchange();
  }

  /** A frame each way through a device that just started. */
  void exchange() throws IOException {
    neighbour.forget();
    int before = hostile.receive.usedIndex();
    byte[] sent = toNeighbour(300);
    hostile.send(sent);
    assertArrayEquals(sent, neighbour.next(), "from the hostile guest, healed");
    assertArrayEquals(sendToHostile(), hostile.received(before), "to the hostile guest, healed");
  }

  @Override
  public void close() {
    try (scratch;
        backend;
        neighbour;
        hostile) {
      // Closed in reverse order, each even if another fails.
    }
  }
}
