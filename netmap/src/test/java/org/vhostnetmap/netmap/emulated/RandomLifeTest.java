// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * Users come and go as they like, with any rings, exclusively or not, with extra buffers or not;
 * they send, receive and exchange buffers; registrations fail at any step. After each of these
 * every buffer has exactly one place.
 */
final class RandomLifeTest {
  private static final Pool.Geometry ROOM = new Pool.Geometry(6, 128, 12, 512, 200, 2048, 256);
  private static final Adapter.Config TWO_PAIRS = new Adapter.Config(2, 2, 0, 0, 8, 8);
  private static final int STEPS = 4_000;

  private final LoopDevice loop = new LoopDevice(ROOM, TWO_PAIRS);
  private final List<EmulatedPort> open = new ArrayList<>();
  private int opened;
  private int refused;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void everyBufferIsCountedAfterEachStep(long seed) throws NetmapException {
    Random random = new Random(seed);
    // An open for ever keeps the memory.
    RegisterRequest bare = RegisterRequest.of("m").with(PortMode.NULL, 0).inMemory(1);
    try (EmulatedPort keeper = loop.open(bare)) {
      Pool memory = keeper.adapter().memory();
      for (int step = 0; step < STEPS; step++) {
        int what = random.nextInt(10);
        if (what == 0) {
          come(random);
        } else if (what == 1 && !open.isEmpty()) {
          open.remove(random.nextInt(open.size())).close();
        } else if (!open.isEmpty()) {
          use(open.get(random.nextInt(open.size())), random);
        }
        Pool.Census census = memory.census();
        assertEquals(0, census.doubled() + census.lost(), "step " + step + ": " + census);
        assertEquals(198, census.slots() + census.extra() + census.free());
        assertUsersCounted();
      }
      open.forEach(EmulatedPort::close);
      assertEquals(new Pool.Census(0, 0, 198, 0, 0), memory.census());
    }
    assertTrue(opened > 50 && refused > 50, opened + " opened, " + refused + " refused");
    for (LoopAdapter adapter : loop.adapters.values()) {
      assertTrue(adapter.destroyed, adapter + " was left");
    }
  }

  private void come(Random random) throws NetmapException {
    String name = "loop" + random.nextInt(2);
    RegisterRequest request =
        RegisterRequest.of(name).withExtraBuffers(Math.max(0, random.nextInt(40) - 20));
    if (random.nextBoolean()) {
      request = request.with(PortMode.ONE_NIC, random.nextInt(3));
    }
    long[] flags = {
      0, 0, NetmapAbi.NR_EXCLUSIVE, NetmapAbi.NR_RX_RINGS_ONLY, NetmapAbi.NR_TX_RINGS_ONLY
    };
    request = request.withFlags(flags[random.nextInt(flags.length)]);
    LoopAdapter adapter = loop.adapters.get(name);
    LoopAdapter.Step[] steps = LoopAdapter.Step.values();
    if (adapter != null) {
      adapter.failing = random.nextInt(4) == 0 ? steps[random.nextInt(steps.length)] : null;
    }
    try {
      open.add(loop.open(request));
      opened++;
    } catch (NetmapException e) {
      refused++;
      assertTrue(
          List.of(Errno.EIO, Errno.EBUSY, Errno.EINVAL, Errno.ENOMEM).contains(e.errno()),
          e.toString());
    }
  }

  /** One user does one thing that users may do. */
  private static void use(EmulatedPort port, Random random) {
    for (NetmapRing ring : port.txRings()) {
      ring.reload();
      int frames = random.nextInt(ring.space() + 1);
      for (int i = 0; i < frames; i++) {
        int slot = ring.after(ring.head(), i);
        ring.set(slot, 60, 0);
        exchangeWithList(port, ring, slot, random);
      }
      ring.advanceTo(ring.after(ring.head(), frames));
    }
    port.txSync();
    port.rxSync();
    for (NetmapRing ring : port.rxRings()) {
      ring.reload();
      int frames = random.nextInt(ring.space() + 1);
      if (frames > 0 && !port.txRings().isEmpty()) {
        NetmapRing out = port.txRings().getFirst();
        out.reload();
        if (out.space() > 0) {
          out.swap(out.head(), ring, ring.head());
        }
      }
      ring.advanceTo(ring.after(ring.head(), frames));
    }
    port.rxSync();
  }

  /** The first extra buffer goes into the slot, the slot's to the list's head. */
  private static void exchangeWithList(
      EmulatedPort port, NetmapRing ring, int slot, Random random) {
    long first = port.extraBuffers();
    if (first == 0 || random.nextBoolean()) {
      return;
    }
    long rest = Memory.getUnsignedInt(port.buffer(first));
    long fromSlot = ring.bufferIndex(slot);
    ring.setBufferIndex(slot, first);
    Memory.putInt(port.buffer(fromSlot), (int) rest);
    port.setExtraBuffers(fromSlot);
  }

  private void assertUsersCounted() {
    for (LoopAdapter adapter : loop.adapters.values()) {
      long users = open.stream().filter(port -> port.adapter() == adapter).count();
      assertEquals(users, adapter.activeFds);
      assertEquals(users > 0, !adapter.destroyed);
      for (Kring[] krings : new Kring[][] {adapter.txKrings, adapter.rxKrings}) {
        for (Kring kring : krings) {
          assertEquals(kring.users > 0 ? Kring.Mode.ON : Kring.Mode.OFF, kring.mode);
          assertEquals(kring.mode, kring.pendingMode);
          assertFalse(kring.stopped);
        }
      }
    }
  }
}
