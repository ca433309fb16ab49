// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;
import static org.vhostnetmap.fakes.FakeDriver.WRITE;

import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.GuestMemory.Region;

/** Random chains over random memory, mostly near the edges, compared with {@link ChainModel}. */
final class RandomChains implements AutoCloseable {
  private static final int SIZE = 32;

  private final Random random;
  private final GuestImage image;
  private final HostMemory ring = new HostMemory(FakeDriver.ringBytes(SIZE) + 64);
  private final FakeDriver driver = new FakeDriver(ring.address(), 0, ring.bytes(), SIZE);
  private final Direction direction;
  private final boolean indirect;
  private final Virtqueue queue;
  private final Chains chains = new Chains();
  private int faults;

  RandomChains(long seed) {
    random = new Random(seed);
    image = GuestImage.random(random);
    direction =
        List.of(Direction.READABLE, Direction.WRITABLE, Direction.MIXED).get(random.nextInt(3));
    indirect = random.nextInt(4) != 0;
    queue =
        Virtqueue.open(
            new Virtqueue.Setup(
                RingFormat.SPLIT,
                SIZE,
                driver.host(driver.descriptorTable()),
                driver.host(driver.availableRing()),
                driver.host(driver.usedRing()),
                0,
                direction,
                random.nextBoolean(),
                indirect,
                false),
            image.memory(random));
  }

  /** Posts {@code count} chains one by one and compares each; returns how many were faults. */
  int run(int count) {
    for (int i = 0; i < count; i++) {
      int head = random.nextInt(50) == 0 ? SIZE + random.nextInt(SIZE) : random.nextInt(SIZE);
      boolean longWayRound = random.nextInt(3) == 0;
      writeChain(head % SIZE, longWayRound);
      driver.available(head);
      compare(
          ChainModel.chain(
              image, direction, indirect, driver.host(driver.descriptorTable()), SIZE, head),
          head);
    }
    return faults;
  }

  private void compare(ChainModel.Result expected, int head) {
    chains.clear();
    RecordingMemory.setStrict(expected.fault() != Reason.DESCRIPTOR_LOOP);
    Reason fault = peek();
    assertEquals(expected.fault(), fault);
    if (fault != null) {
      faults++;
      driver.availableIndex(queue.base()); // as if the driver had been reset
      return;
    }
    assertEquals(1, chains.count());
    assertEquals(head, chains.head[0]);
    assertEquals(expected.bytes().length, chains.length[0]);
    assertArrayEquals(expected.bytes(), TestRing.bytes(chains, 0));
    if (direction == Direction.MIXED) {
      int readable = 0;
      for (int s = 0; s < chains.firstWritable[0]; s++) {
        readable += chains.segmentLength[s];
      }
      assertEquals(expected.readable(), readable);
    }
    chains.written[0] = 0;
    queue.complete(chains, 1);
    queue.publish();
  }

  private @Nullable Reason peek() {
    try {
      queue.peek(chains, 4);
      return null;
    } catch (GuestFault fault) {
      return fault.reason();
    }
  }

  private void writeChain(int head, boolean useTable) {
    int pieces = 1 + random.nextInt(6);
    int writableFrom =
        switch (direction) {
          case READABLE -> pieces;
          case WRITABLE -> 0;
          case MIXED -> random.nextInt(pieces + 1);
        };
    int direct = useTable ? random.nextInt(pieces) : pieces;
    int index = head;
    for (int i = 0; i < direct; i++) {
      int next = odd() ? random.nextInt(2 * SIZE) : (index + 1) % SIZE;
      boolean last = i == pieces - 1;
      driver.descriptor(index, address(), length(), flags(last, i >= writableFrom), next);
      index = next % SIZE;
    }
    if (useTable) {
      long table = address() & (odd() ? -1 : -8);
      int bytes = 16 * (pieces - direct) + (odd() ? random.nextInt(64) - 16 : 0);
      driver.descriptor(index, table, bytes, INDIRECT | (odd() ? random.nextInt(4) : 0), 0);
      for (int i = direct; i < pieces; i++) {
        long where = table + 16L * (i - direct);
        image.put(where, address(), 8);
        image.put(where + 8, length(), 4);
        image.put(where + 12, flags(i == pieces - 1, i >= writableFrom), 2);
        image.put(where + 14, odd() ? random.nextInt(16) : i - direct + 1, 2);
      }
    }
  }

  private int flags(boolean last, boolean writable) {
    int flags = (last ? 0 : NEXT) | (writable ? WRITE : 0);
    return odd() ? flags ^ (1 << random.nextInt(3)) : flags;
  }

  /** Now and then something is odd; mostly not, or no chain would be good. */
  private boolean odd() {
    return random.nextInt(25) == 0;
  }

  /** An address in a region, or near its edges, or just anywhere. */
  private long address() {
    List<Region> regions = image.regions();
    Region region = regions.get(random.nextInt(regions.size()));
    return switch (random.nextInt(20)) {
      case 0 -> random.nextLong();
      case 1 -> -1 - random.nextInt(16);
      case 2, 3 -> region.guestAddress() - 8 + random.nextInt(16);
      case 4, 5, 6 -> region.guestAddress() + region.size() - 12 + random.nextInt(13);
      default -> region.guestAddress() + random.nextLong(region.size());
    };
  }

  private long length() {
    return switch (random.nextInt(20)) {
      case 0 -> random.nextLong() & 0xffffffffL;
      case 1, 2, 3 -> 0;
      case 4 -> random.nextInt(5000);
      default -> 1 + random.nextInt(24);
    };
  }

  @Override
  public void close() {
    ring.close();
    image.close();
  }
}
