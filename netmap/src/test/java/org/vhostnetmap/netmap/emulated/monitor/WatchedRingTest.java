// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/** A monitor over a ring of the test's own, whose device does what the test says. */
final class WatchedRingTest {
  private final Pool pool = new Pool(7, new Pool.Geometry(1, 64, 4, 1024, 80, 512, 0));
  private final Port port = new Port(pool);
  private final Kring sent = new Kring(port, 0, true, false, 16, this::device);
  private final Kring shown = new Kring(port, 0, false, false, 8, kring -> {});
  private MonitorRing monitor;
  private int sentUpTo;

  private static final class Port extends Adapter {
    Port(Pool pool) {
      super("port", pool);
    }

    @Override
    protected Config config() {
      return new Config(1, 1, 0, 0, 16, 16);
    }

    @Override
    protected void register(boolean on) {}

    @Override
    protected void txSync(Kring kring) {}

    @Override
    protected void rxSync(Kring kring) {}
  }

  @BeforeEach
  void layOut() throws Exception {
    pool.enter();
    pool.newRing(sent);
    pool.newRing(shown);
    monitor = new MonitorRing(shown);
    WatchedRing.addCopy(sent, monitor);
  }

  @AfterEach
  void leave() {
    pool.leave();
  }

  private void device(Kring kring) {
    kring.hwcur = sentUpTo;
  }

  private void put(int slot, int mark, int flags) {
    Memory.putInt(sent.data(slot), mark);
    sent.setSlot(slot, 60, flags);
  }

  private void sync(int head) {
    sent.rhead = head;
    sent.sync.sync(sent);
  }

  private List<Integer> seen() {
    monitor.sync();
    List<Integer> marks = new ArrayList<>();
    for (; shown.rhead != shown.hwtail; shown.rhead = shown.next(shown.rhead)) {
      marks.add((int) Memory.getUnsignedInt(shown.data(shown.rhead)));
    }
    return marks;
  }

  @Test
  void showsAFrameOnceThoughABusyDeviceLeavesItInTheRing() {
    put(0, 1, 0);
    put(1, 2, 0);
    sentUpTo = 1;
    sync(2);
    assertEquals(List.of(1, 2), seen());
    sync(2);
    put(2, 3, 0);
    sync(3);
    assertEquals(List.of(3), seen());
    sentUpTo = 3;
    sync(3);
    assertEquals(List.of(), seen());
  }

  @Test
  void neverShowsTheEndOfAFrameWhoseBeginningFoundNoRoom() {
    for (int slot = 0; slot < 12; slot++) {
      // Frames of three slots each.
      put(slot, slot, slot % 3 < 2 ? NetmapAbi.NS_MOREFRAG : 0);
    }
    sentUpTo = 12;
    sync(12);
    assertEquals(List.of(6, 7, 8, 9, 10, 11), seen());
    assertEquals(6, monitor.lost());
  }

  @Test
  void skipsASlotThatNamesNoBuffer() {
    put(0, 1, 0);
    put(1, 2, 0);
    sent.setBufferIndex(0, 0x7fff_ffff);
    sentUpTo = 2;
    sync(2);
    assertEquals(List.of(2), seen());
  }
}
