// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.linux.Memory;

/** A fake driver and the queue under test on one ring, in one region of guest memory. */
final class TestRing implements AutoCloseable {
  /** What was negotiated. */
  record Options(int size, Direction direction, boolean eventIndex, boolean indirect, int base) {
    static Options size(int size) {
      return new Options(size, Direction.READABLE, false, true, 0);
    }

    Options direction(Direction direction) {
      return new Options(size, direction, eventIndex, indirect, base);
    }

    Options withEventIndex(boolean negotiated) {
      return new Options(size, direction, negotiated, indirect, base);
    }

    Options withoutIndirect() {
      return new Options(size, direction, eventIndex, false, base);
    }

    Options base(int index) {
      return new Options(size, direction, eventIndex, indirect, index);
    }
  }

  /** Guest address of the region, unlike any host address. */
  static final long GUEST = 0x4000_0000L;

  final HostMemory host;
  final FakeDriver driver;
  final GuestMemory memory;
  final Virtqueue queue;
  final Chains chains = new Chains();
  private final Options options;

  TestRing(Options options) {
    this(options, 1 << 20);
  }

  TestRing(Options options, int bufferBytes) {
    this.options = options;
    long bytes = FakeDriver.ringBytes(options.size) + bufferBytes;
    host = new HostMemory(bytes);
    driver = new FakeDriver(host.address(), GUEST, bytes, options.size).startingAt(options.base);
    if (options.eventIndex) {
      driver.withEventIndex();
    }
    memory =
        GuestMemory.of(
            List.of(new GuestMemory.Region(GUEST, 0x7f00_0000_0000L, bytes, host.address())));
    queue = takeOver(options.base);
  }

  static TestRing of(int size) {
    return new TestRing(Options.size(size));
  }

  /** Another queue on the same ring, as after a restart of the back-end. */
  Virtqueue takeOver(int base) {
    return Virtqueue.open(
        new Virtqueue.Setup(
            RingFormat.SPLIT,
            options.size,
            driver.host(driver.descriptorTable()),
            driver.host(driver.availableRing()),
            driver.host(driver.usedRing()),
            base,
            options.direction,
            options.eventIndex,
            options.indirect,
            false),
        memory);
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

  /** Gives back the first {@code count} chains with nothing written, and publishes. */
  boolean finish(int count) {
    for (int i = 0; i < count; i++) {
      chains.written[i] = 0;
    }
    queue.complete(chains, count);
    return queue.publish();
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
