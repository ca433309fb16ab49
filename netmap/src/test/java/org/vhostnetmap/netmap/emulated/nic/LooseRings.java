// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/** Rings and buffers in a pool, laid out by hand, without a device around them. */
final class LooseRings implements AutoCloseable {
  static final int SKEW = 256;

  final Pool pool;
  private final int slots;

  /** Room for {@code rings} rings of {@code slots}, each slot with a buffer, and 8 buffers more. */
  LooseRings(int rings, int slots, int bufferBytes) throws ErrnoException {
    this.slots = slots;
    int ringBytes = NetmapAbi.RING_BYTES + NetmapAbi.SLOT_BYTES * slots;
    int count = NetmapAbi.FIRST_BUFFER + rings * slots + 8;
    pool = new Pool(1, new Pool.Geometry(1, 1024, rings, ringBytes, count, bufferBytes, SKEW));
    pool.enter();
  }

  /** Any adapter; krings want one. */
  private static final class Nobody extends Adapter {
    Nobody(Pool pool) {
      super("nobody", pool);
    }

    @Override
    protected Config config() {
      throw new IllegalStateException();
    }

    @Override
    protected void register(boolean on) {
      throw new IllegalStateException();
    }

    @Override
    protected void txSync(Kring kring) {
      throw new IllegalStateException();
    }

    @Override
    protected void rxSync(Kring kring) {
      throw new IllegalStateException();
    }
  }

  /** A new ring, as at a ring's start. */
  Kring kring(int id, boolean tx, Kring.Sync sync) {
    Kring kring = new Kring(new Nobody(pool), id, tx, false, slots, sync);
    assertTrue(pool.newRing(kring), "no room for a ring");
    return kring;
  }

  /** The user's view. */
  NetmapRing user(Kring kring) {
    return new NetmapRing(kring.ring, pool.address(), pool.bytes());
  }

  /** What a sync of a device does around the adapter's. */
  static void sync(Kring kring) {
    synchronized (kring) {
      kring.rhead = (int) Memory.getUnsignedInt(kring.ring + NetmapAbi.RING_HEAD);
      kring.rcur = kring.rhead;
      kring.sync.sync(kring);
      kring.publishTail();
    }
  }

  /** Buffers named by the slots of these rings, sorted. */
  static int[] named(Kring... krings) {
    return Arrays.stream(krings)
        .flatMapToInt(
            kring ->
                IntStream.range(0, kring.slots)
                    .map(slot -> (int) Memory.getUnsignedInt(kring.slot(slot))))
        .sorted()
        .toArray();
  }

  @Override
  public void close() {
    pool.leave();
  }
}
