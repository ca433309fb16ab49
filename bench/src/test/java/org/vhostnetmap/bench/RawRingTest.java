// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/** The device is played by pokes into the rings. */
class RawRingTest {
  private static final int SIZE = 4;

  private final AtomicInteger kicks = new AtomicInteger();
  private Mapping memory;
  private FakeDriver layout;
  private RawRing ring;

  @BeforeEach
  void make() throws ErrnoException {
    memory = Mapping.anonymous(65_536);
    layout = new FakeDriver(memory.address(), 0, 65_536, SIZE);
    ring = new RawRing(layout, 1, true, kicks::incrementAndGet);
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private int availableIndex() {
    return Memory.getUnsignedShort(layout.host(layout.availableRing()) + 2);
  }

  private void use(int place, int head) {
    long used = layout.host(layout.usedRing());
    Memory.putLong(used + 4 + 8L * (place % SIZE), head);
    Memory.putShort(used + 2, place + 1);
  }

  @Test
  void showsNothingBeforeTheFlush() {
    ring.push(2);
    assertEquals(0, availableIndex());
    ring.flush();
    assertEquals(2, availableIndex());
    assertEquals(SIZE - 2, ring.room());
  }

  @Test
  void kicksWhenTheDeviceWaitsForOneOfThese() {
    ring.push(1); // entry 0, which a new device waits for
    ring.flush();
    assertEquals(1, kicks.get());
    ring.push(1);
    ring.flush();
    assertEquals(1, kicks.get());
  }

  @Test
  void recyclesWhatWasUsed() {
    ring.push(SIZE);
    ring.flush();
    use(0, 0);
    use(1, 1);
    assertEquals(2, ring.recycle());
    assertEquals(SIZE + 2, availableIndex());
    assertEquals(0, ring.room());
  }

  @Test
  void refusesBuffersOutOfOrder() {
    ring.push(SIZE);
    ring.flush();
    use(0, 2);
    assertThrows(IllegalStateException.class, ring::recycle);
  }
}
