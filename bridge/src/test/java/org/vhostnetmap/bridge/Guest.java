// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.vhost.Offer;
import org.vhostnetmap.vhost.VhostUserBackend;

/**
 * A guest with its port: a fake front-end, and just as much of a network driver as tests need. One
 * thread at a time.
 */
final class Guest implements AutoCloseable {
  /** Feature bits by number, as virtio 1.3 has them. */
  static final long MRG_RXBUF = 1L << 15;

  static final long CSUM = 1L;
  static final long GUEST_CSUM = 1L << 1;
  static final long GUEST_TSO4 = 1L << 7;
  static final long GUEST_TSO6 = 1L << 8;
  static final long GUEST_ECN = 1L << 9;
  static final long HOST_TSO4 = 1L << 11;
  static final long HOST_TSO6 = 1L << 12;
  static final long HOST_ECN = 1L << 13;
  static final long GUEST_USO4 = 1L << 54;
  static final long GUEST_USO6 = 1L << 55;
  static final long HOST_USO = 1L << 56;

  /** All that a driver may leave to the device. */
  static final long LEAVES = CSUM | HOST_TSO4 | HOST_TSO6 | HOST_ECN | HOST_USO;

  /** All that a driver may take undone. */
  static final long TAKES =
      GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6 | GUEST_ECN | GUEST_USO4 | GUEST_USO6;

  static final long INDIRECT = 1L << 28;
  static final long EVENT_IDX = 1L << 29;
  static final long VERSION_1 = 1L << 32;
  private static final long PROTOCOL = 1L << 30;
  private static final long MQ = 1L << 22;

  final String name;
  final FakeFrontend frontend;
  final GuestPort port;
  final VhostUserBackend backend;
  private long features = MRG_RXBUF | INDIRECT | EVENT_IDX | VERSION_1;
  private int pairs = 1;

  Guest(String name, EventLoop loop, Bridge bridge, Offer offer, int ringSize) throws Exception {
    this.name = name;
    UnixConnection[] ends = UnixConnection.pair();
    frontend = new FakeFrontend(ends[0], offer.rings(), ringSize, false);
    port = new GuestPort(name, bridge, offer.queuePairs());
    backend = VhostUserBackend.adopt(loop, Fd.duplicate(ends[1].fd()), offer, port);
    ends[1].close();
    port.attach(backend);
  }

  /** The driver takes these of the features it is offered; the default is what Linux takes. */
  Guest taking(long featureBits) {
    features = featureBits;
    return this;
  }

  /** It takes these as well. */
  Guest takingAlso(long featureBits) {
    return taking(features | featureBits);
  }

  /** The driver comes up. */
  Guest up(int queuePairs) throws IOException {
    pairs = queuePairs;
    frontend.wanting(features | PROTOCOL | (queuePairs > 1 ? MQ : 0));
    frontend.bringUp(queuePairs);
    return this;
  }

  Guest up() throws IOException {
    return up(1);
  }

  int headerLength() {
    return (features & (MRG_RXBUF | VERSION_1)) != 0 ? 12 : 10;
  }

  FakeDriver receiveRing(int pair) {
    return frontend.driver(2 * pair);
  }

  FakeDriver transmitRing(int pair) {
    return frontend.driver(2 * pair + 1);
  }

  /** Gives the device receive buffers of one descriptor each, on all rings. */
  Guest buffers(int count, int length) {
    for (int pair = 0; pair < pairs; pair++) {
      for (int i = 0; i < count; i++) {
        receiveRing(pair).postReceive(length);
      }
    }
    return this;
  }

  /** Kicks if the device asked for it, as a driver must. */
  void kickIfNeeded(int ring, int before) {
    if (frontend.driver(ring).kickNeeded(before)) {
      frontend.kick(ring);
    }
  }

  /** Sends one frame, header and data in one buffer, when a descriptor is free. */
  boolean trySend(int pair, byte[] frame) {
    FakeDriver ring = transmitRing(pair);
    reap(pair);
    if (ring.freeDescriptors() == 0) {
      return false;
    }
    byte[] buffer = new byte[headerLength() + frame.length];
    System.arraycopy(frame, 0, buffer, headerLength(), frame.length);
    int before = ring.availableIndex();
    ring.send(buffer);
    kickIfNeeded(2 * pair + 1, before);
    return true;
  }

  /** Sends a header and a frame in buffers that end after these bytes, and at the end. */
  void sendWith(byte[] header, byte[] frame, int... cuts) {
    byte[] whole = java.util.Arrays.copyOf(header, header.length + frame.length);
    System.arraycopy(frame, 0, whole, header.length, frame.length);
    byte[][] parts = new byte[cuts.length + 1][];
    for (int i = 0; i <= cuts.length; i++) {
      int from = i == 0 ? 0 : cuts[i - 1];
      parts[i] =
          java.util.Arrays.copyOfRange(whole, from, i < cuts.length ? cuts[i] : whole.length);
    }
    FakeDriver ring = transmitRing(0);
    Lan.await(
        "free descriptors",
        () -> {
          reap(0);
          return ring.freeDescriptors() >= parts.length;
        });
    int before = ring.availableIndex();
    ring.send(parts);
    kickIfNeeded(1, before);
  }

  /** Sends a header and a frame, each in a buffer of its own. */
  void sendOn(int pair, byte[] header, byte[] frame) {
    int before = transmitRing(pair).availableIndex();
    transmitRing(pair).send(header, frame);
    kickIfNeeded(2 * pair + 1, before);
  }

  void send(byte[] frame) {
    Lan.await("a free descriptor", () -> trySend(0, frame));
  }

  /** Takes back what was sent; a transmit's used length is always 0. */
  int reap(int pair) {
    int count = 0;
    for (FakeDriver.Used used = transmitRing(pair).takeUsed();
        used != null;
        used = transmitRing(pair).takeUsed()) {
      assertEquals(0, used.length(), "used length of a transmit");
      count++;
    }
    return count;
  }

  /** A frame with the virtio-net header that came before it. */
  @SuppressWarnings("ArrayRecordComponent") // nobody compares two of them
  record Received(byte[] header, byte[] frame) {}

  /** Takes received frames, checks their headers and lengths, and gives as many buffers anew. */
  List<byte[]> receive(int pair, int bufferLength) {
    List<byte[]> frames = new ArrayList<>();
    for (Received received : receiveWithHeaders(pair, bufferLength)) {
      for (int i = 0; i < 10; i++) {
        assertEquals(0, received.header[i], "header byte " + i);
      }
      frames.add(received.frame);
    }
    return frames;
  }

  /** The same where headers may hold something. */
  List<Received> receiveWithHeaders(int pair, int bufferLength) {
    FakeDriver ring = receiveRing(pair);
    List<Received> frames = new ArrayList<>();
    for (FakeDriver.Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
      byte[] first = ring.contents(used.head(), (int) used.length());
      int header = headerLength();
      assertTrue(first.length >= header, "a header before the frame");
      int buffers = header == 12 ? (first[10] & 0xff) | (first[11] & 0xff) << 8 : 1;
      ByteArrayOutputStream frame = new ByteArrayOutputStream();
      frame.write(first, header, first.length - header);
      for (int more = 1; more < buffers; more++) {
        FakeDriver.Used next = ring.takeUsed();
        assertNotNull(next, "buffer " + more + " of " + buffers + " comes with the first");
        byte[] part = ring.contents(next.head(), (int) next.length());
        frame.write(part, 0, part.length);
      }
      frames.add(new Received(java.util.Arrays.copyOf(first, header), frame.toByteArray()));
      if (bufferLength > 0) {
        for (int i = 0; i < buffers; i++) {
          ring.postReceive(bufferLength);
        }
      }
    }
    return frames;
  }

  List<byte[]> receive() {
    return receive(0, 2048);
  }

  @Override
  public void close() {
    frontend.close();
  }
}
