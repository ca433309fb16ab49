// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.fakes.FakeDriver.INDIRECT;
import static org.vhostnetmap.fakes.FakeDriver.NEXT;
import static org.vhostnetmap.fakes.FakeDriver.WRITE;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakePackedDriver;
import org.vhostnetmap.fakes.FakeRing;
import org.vhostnetmap.fakes.FakeRing.Raw;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.GuestMemory.Region;

/** Random chains over random memory, mostly near the edges, compared with {@link ChainModel}. */
final class RandomChains implements AutoCloseable {
  private static final int SIZE = 32;
  private static final int NO_ID = 0xdead; // what the fake driver writes where no id belongs

  private final Random random;
  private final GuestImage image;
  private final GuestMemory memory;
  private final RingFormat format;
  private final HostMemory ring = new HostMemory(FakeDriver.ringBytes(SIZE) + 64);
  private final FakeDriver driver = new FakeDriver(ring.address(), 0, ring.bytes(), SIZE);
  private final Direction direction;
  private final boolean indirect;
  private final boolean eventIndex;
  private final boolean inOrder;
  private Virtqueue queue;
  private final Chains chains = new Chains();
  private int faults;

  RandomChains(long seed) {
    random = new Random(seed);
    format = seed % 2 == 0 ? RingFormat.SPLIT : RingFormat.PACKED;
    image = GuestImage.random(random);
    direction =
        List.of(Direction.READABLE, Direction.WRITABLE, Direction.MIXED).get(random.nextInt(3));
    indirect = random.nextInt(4) != 0;
    eventIndex = random.nextBoolean();
    inOrder = random.nextBoolean();
    memory = image.memory(random);
    queue = open(RingFormat.SPLIT, driver);
  }

  private Virtqueue open(RingFormat kind, FakeRing by) {
    return Virtqueue.open(
        new Virtqueue.Setup(
            kind,
            by.size(),
            by.host(by.descriptorArea()),
            by.host(by.driverArea()),
            by.host(by.deviceArea()),
            (int) by.base(),
            direction,
            eventIndex,
            indirect,
            inOrder),
        memory);
  }

  /** Posts {@code count} chains one by one and compares each; returns how many were faults. */
  int run(int count) {
    for (int i = 0; i < count; i++) {
      if (format == RingFormat.PACKED) {
        packedChain();
        continue;
      }
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

  /** One chain on a ring of any size at any place, perhaps across its end. */
  private void packedChain() {
    int size = 6 + random.nextInt(SIZE - 5);
    FakePackedDriver packed = new FakePackedDriver(ring.address(), 0, ring.bytes(), size);
    packed.startingAt(random.nextInt(3 * size));
    queue = open(RingFormat.PACKED, packed);
    List<Raw> descriptors = packedDescriptors();
    int id = packed.chain(descriptors.toArray(Raw[]::new));
    ChainModel.Result expected =
        ChainModel.packedChain(image, direction, indirect, descriptors, size);
    compare(expected, expected.end() == descriptors.size() - 1 ? id : NO_ID);
  }

  private List<Raw> packedDescriptors() {
    int pieces = 1 + random.nextInt(6);
    int writableFrom = writableFrom(pieces);
    boolean useTable = random.nextInt(3) == 0;
    int direct = useTable ? (odd() ? random.nextInt(pieces) : 0) : pieces;
    List<Raw> descriptors = new ArrayList<>();
    for (int i = 0; i < direct; i++) {
      int flags = flags(i == pieces - 1, i >= writableFrom);
      descriptors.add(new Raw(address(), length(), flags));
    }
    if (useTable) {
      long table = address() & (odd() ? -1 : -8);
      int bytes = 16 * (pieces - direct) + (odd() ? random.nextInt(64) - 16 : 0);
      int flags = INDIRECT | (odd() ? random.nextInt(4) : 0);
      descriptors.add(new Raw(table, bytes & 0xffffffffL, flags));
      for (int i = direct; i < pieces; i++) {
        long where = table + 16L * (i - direct);
        image.put(where, address(), 8);
        image.put(where + 8, length(), 4);
        image.put(where + 12, random.nextInt(), 2);
        int junk = random.nextInt() & ~WRITE; // 2.8.7: means nothing there
        image.put(where + 14, junk | (i >= writableFrom != odd() ? WRITE : 0), 2);
      }
    }
    return descriptors;
  }

  private int writableFrom(int pieces) {
    return switch (direction) {
      case READABLE -> pieces;
      case WRITABLE -> 0;
      case MIXED -> random.nextInt(pieces + 1);
    };
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
      // A packed chain that ends too early leaves its rest as others behind it.
      queue.peek(chains, format == RingFormat.PACKED ? 1 : 4);
      return null;
    } catch (GuestFault fault) {
      return fault.reason();
    }
  }

  private void writeChain(int head, boolean useTable) {
    int pieces = 1 + random.nextInt(6);
    int writableFrom = writableFrom(pieces);
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
