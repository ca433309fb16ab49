// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/** A pool and rings in it for one driver's test: no device and no port around them. */
final class PoolRings implements AutoCloseable {
  static final int SLOTS = 128;

  final Pool pool;
  private final Adapter nobody;
  private final List<Kring> krings = new ArrayList<>();

  PoolRings(int bufferBytes, int skew) throws ErrnoException {
    pool = new Pool(9, new Pool.Geometry(1, 1024, 16, 36_864, 4096, bufferBytes, skew));
    pool.enter();
    nobody =
        new Adapter("nobody", pool) {
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
        };
  }

  Kring kring(int id, boolean tx, boolean host, Kring.Sync sync) {
    Kring kring = new Kring(nobody, id, tx, host, SLOTS, sync);
    assertTrue(pool.newRing(kring));
    krings.add(kring);
    return kring;
  }

  /** Puts a frame into the next TX slot; the next sync sends it. */
  static void put(Kring tx, byte[] frame) {
    put(tx, frame, 0);
  }

  static void put(Kring tx, byte[] frame, int flags) {
    synchronized (tx) {
      assertTrue(tx.rhead != tx.hwtail, "no room");
      Memory.copyFromArray(frame, 0, tx.data(tx.rhead), frame.length);
      tx.setSlot(tx.rhead, frame.length, flags);
      tx.rhead = tx.next(tx.rhead);
    }
  }

  static void sync(Kring kring) {
    synchronized (kring) {
      kring.sync.sync(kring);
    }
  }

  /** Syncs and takes what came, chains put together. */
  static List<byte[]> take(Kring rx) {
    List<byte[]> frames = new ArrayList<>();
    synchronized (rx) {
      rx.sync.sync(rx);
      byte[] chain = new byte[0];
      for (int slot = rx.rhead; slot != rx.hwtail; slot = rx.next(slot)) {
        int before = chain.length;
        chain = java.util.Arrays.copyOf(chain, before + rx.length(slot));
        Memory.copyToArray(rx.data(slot), chain, before, rx.length(slot));
        if ((rx.flags(slot) & org.vhostnetmap.netmap.NetmapAbi.NS_MOREFRAG) == 0) {
          frames.add(chain);
          chain = new byte[0];
        }
      }
      assertEquals(0, chain.length, "a chain without an end");
      rx.rhead = rx.hwtail;
    }
    return frames;
  }

  /** Every buffer is in one place. */
  void assertNoBufferLost() {
    Pool.Census census = pool.census();
    assertEquals(0, census.doubled() + census.lost(), census.toString());
  }

  @Override
  public void close() {
    krings.forEach(pool::freeRing);
    pool.leave();
  }
}
