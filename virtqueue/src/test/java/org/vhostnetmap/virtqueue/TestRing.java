// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakePackedDriver;
import org.vhostnetmap.fakes.FakeRing;
import org.vhostnetmap.linux.Memory;

/** A fake driver and the queue under test on one ring, in one region of guest memory. */
final class TestRing implements AutoCloseable {
  /**
   * What was negotiated.
   *
   * @param start entries that went through before
   */
  record Options(
      RingFormat format,
      int size,
      Direction direction,
      boolean eventIndex,
      boolean indirect,
      boolean inOrder,
      int start) {
    static Options of(RingFormat format, int size) {
      return new Options(format, size, Direction.READABLE, false, true, false, 0);
    }

    static Options split(int size) {
      return of(RingFormat.SPLIT, size);
    }

    static Options packed(int size) {
      return of(RingFormat.PACKED, size);
    }

    Options direction(Direction wanted) {
      return new Options(format, size, wanted, eventIndex, indirect, inOrder, start);
    }

    Options withEventIndex(boolean negotiated) {
      return new Options(format, size, direction, negotiated, indirect, inOrder, start);
    }

    Options withoutIndirect() {
      return new Options(format, size, direction, eventIndex, false, inOrder, start);
    }

    Options withInOrder(boolean negotiated) {
      return new Options(format, size, direction, eventIndex, indirect, negotiated, start);
    }

    Options startingAt(int index) {
      return new Options(format, size, direction, eventIndex, indirect, inOrder, index);
    }
  }

  /** Guest address of the region, unlike any host address. */
  static final long GUEST = 0x4000_0000L;

  final HostMemory host;
  final FakeRing driver;
  final GuestMemory memory;
  final Virtqueue queue;
  final Chains chains = new Chains();
  private final Options options;

  TestRing(Options options) {
    this(options, 1 << 20);
  }

  TestRing(Options options, int bufferBytes) {
    this.options = options;
    long bytes = ringBytes(options.format, options.size) + bufferBytes;
    host = new HostMemory(bytes);
    driver = driver(options.format, host.address(), GUEST, bytes, options.size);
    driver.startingAt(options.start);
    if (options.eventIndex) {
      driver.withEventIndex();
    }
    if (options.inOrder) {
      driver.withInOrder();
    }
    memory =
        GuestMemory.of(
            List.of(new GuestMemory.Region(GUEST, 0x7f00_0000_0000L, bytes, host.address())));
    queue = takeOver((int) driver.base());
  }

  static TestRing of(RingFormat format, int size) {
    return new TestRing(Options.of(format, size));
  }

  static TestRing of(int size) {
    return of(RingFormat.SPLIT, size);
  }

  static long ringBytes(RingFormat format, int size) {
    return switch (format) {
      case SPLIT -> FakeDriver.ringBytes(size);
      case PACKED -> FakePackedDriver.ringBytes(size);
    };
  }

  static FakeRing driver(RingFormat format, long hostBase, long guestBase, long bytes, int size) {
    return switch (format) {
      case SPLIT -> new FakeDriver(hostBase, guestBase, bytes, size);
      case PACKED -> new FakePackedDriver(hostBase, guestBase, bytes, size);
    };
  }

  /** The driver of a split ring, for what only that has. */
  FakeDriver split() {
    return (FakeDriver) driver;
  }

  /** The driver of a packed ring, for what only that has. */
  FakePackedDriver packed() {
    return (FakePackedDriver) driver;
  }

  /** Another queue on the same ring, as after a restart of the back-end. */
  Virtqueue takeOver(int base) {
    return takeOver(base, memory);
  }

  Virtqueue takeOver(int base, GuestMemory other) {
    return Virtqueue.open(
        new Virtqueue.Setup(
            options.format,
            options.size,
            driver.host(driver.descriptorArea()),
            driver.host(driver.driverArea()),
            driver.host(driver.deviceArea()),
            base,
            options.direction,
            options.eventIndex,
            options.indirect,
            options.inOrder),
        other);
  }

  /** Bytes past the last of guest memory. */
  long guestEnd() {
    return GUEST + host.bytes();
  }

  /** A piece that the device may only read. */
  Piece readable(int length) {
    return new Piece(driver.buffer(length), length, false);
  }

  /** A piece that the device may only write. */
  Piece writable(int length) {
    return new Piece(driver.buffer(length), length, true);
  }

  /** Clears the chains and peeks as many as there are. */
  int peek() throws GuestFault {
    chains.clear();
    return queue.peek(chains, Chains.CHAINS);
  }

  /**
   * Gives back the first {@code count} chains with nothing written, publishes, and asks whether the
   * driver is to be called.
   */
  boolean finish(int count) {
    publish(count);
    Memory.fullFence();
    return queue.wantsCall();
  }

  /** The same without asking. */
  void publish(int count) {
    for (int i = 0; i < count; i++) {
      chains.written[i] = 0;
    }
    queue.complete(chains, count);
    queue.publish();
  }

  /** Peeks and expects this fault. */
  void assertFault(GuestFault.Reason reason) {
    assertEquals(reason, assertThrows(GuestFault.class, this::peek).reason());
  }

  /** The bytes of chain {@code i}, all segments joined. */
  byte[] bytes(int i) {
    return bytes(chains, i);
  }

  static byte[] bytes(Chains chains, int i) {
    byte[] bytes = new byte[(int) chains.length[i]];
    int done = 0;
    for (int s = chains.firstSegment[i]; s < chains.firstSegment[i + 1]; s++) {
      Memory.copyToArray(chains.segmentAddress[s], bytes, done, chains.segmentLength[s]);
      done += chains.segmentLength[s];
    }
    assertEquals(bytes.length, done, "the segments sum up to the chain's length");
    return bytes;
  }

  @Override
  public void close() {
    host.close();
  }
}
