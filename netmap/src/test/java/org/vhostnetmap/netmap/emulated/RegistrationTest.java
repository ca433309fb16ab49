// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Kring.Mode;

/** Each step of a registration fails in turn, for the first user and for later ones. */
final class RegistrationTest {
  private static final Adapter.Config TWO_PAIRS = new Adapter.Config(2, 2, 0, 0, 8, 8);

  private LoopDevice loop;
  private LoopAdapter adapter;
  private Pool pool;

  @BeforeEach
  void make() throws NetmapException {
    loop = new LoopDevice(TWO_PAIRS);
    adapter = loop.kept("loop");
    pool = adapter.memory();
  }

  /** Everything that a registration changes, as text. */
  private String state() {
    StringBuilder state = new StringBuilder();
    state.append("fds ").append(adapter.activeFds).append(" refs ").append(adapter.references);
    state.append(" pool ").append(pool.inUse()).append(' ').append(pool.census());
    for (Kring[] krings : new Kring[][] {adapter.txKrings, adapter.rxKrings}) {
      for (Kring kring : krings) {
        state.append('\n').append(kring).append(" users ").append(kring.users);
        state.append(kring.exclusive ? " exclusive " : " shared ");
        state.append(kring.mode).append(' ').append(kring.pendingMode).append(kring.stopped);
        state.append(kring.ring != 0);
      }
    }
    return state.toString();
  }

  private int refused(RegisterRequest request) {
    String before = state();
    NetmapException refusal = assertThrows(NetmapException.class, () -> loop.open(request).close());
    assertEquals(before, state(), refusal.getMessage());
    return refusal.errno();
  }

  private static RegisterRequest all() {
    return RegisterRequest.of("loop");
  }

  private static RegisterRequest ring(int id) {
    return all().with(PortMode.ONE_NIC, id);
  }

  @Test
  void goesThroughTheStepsInNetmapsOrderAndBackInReverse() throws NetmapException {
    loop.open("loop").close();
    assertEquals(
        List.of(
            "config",
            "+krings",
            "+table",
            "on t0 t1 r0 r1",
            "off t0 t1 r0 r1",
            "-table",
            "-krings"),
        adapter.calls);
  }

  @ParameterizedTest
  @EnumSource(LoopAdapter.Step.class)
  void anAdapterThatFailsLeavesNothingBehind(LoopAdapter.Step step) throws NetmapException {
    adapter.failing = step;
    assertEquals(Errno.EIO, refused(all()));
    assertFalse(pool.inUse());
    assertEquals(0, adapter.txKrings.length);
    adapter.failing = null;
    adapter.calls.clear();
    loop.open("loop").close();
    assertFalse(pool.inUse());
  }

  @Test
  void theFirstUsersStepsAreUndoneInReverse() {
    adapter.failing = LoopAdapter.Step.REGISTER;
    refused(all());
    assertEquals(List.of("config", "+krings", "+table", "-table", "-krings"), adapter.calls);
  }

  @Test
  void aLaterUserWhoseRingCantBeSwitchedTakesNothingFromTheFirst() throws NetmapException {
    try (EmulatedPort first = loop.open(ring(0))) {
      assertEquals(1, first.txRings().size());
      adapter.failing = LoopAdapter.Step.REGISTER;
      assertEquals(Errno.EIO, refused(all()));
      assertEquals(Errno.EIO, refused(ring(1)));
      // Nothing has to be switched for the ring that is on, so nothing can fail.
      loop.open(ring(0)).close();
      assertEquals(Mode.ON, adapter.txKrings[0].mode);
      assertEquals(Mode.OFF, adapter.txKrings[1].mode);
      adapter.failing = null;
      try (EmulatedPort second = loop.open(all())) {
        assertEquals(2, second.txRings().size());
      }
      assertEquals(Mode.ON, adapter.rxKrings[0].mode);
      assertEquals(Mode.OFF, adapter.rxKrings[1].mode);
    }
    assertFalse(pool.inUse());
  }

  @Test
  void switchesRingsOffWithTheirLastUserOnly() throws NetmapException {
    EmulatedPort first = loop.open(ring(0));
    EmulatedPort both = loop.open(all());
    adapter.calls.clear();
    first.close();
    assertEquals(List.of(), adapter.calls);
    both.close();
    assertEquals(List.of("off t0 t1 r0 r1", "-table", "-krings"), adapter.calls);
    first.close();
    assertEquals(1, adapter.references);
  }

  @Test
  void anExclusiveUserWantsNoOther() throws NetmapException {
    RegisterRequest exclusive = ring(0).withFlags(NetmapAbi.NR_EXCLUSIVE);
    try (EmulatedPort first = loop.open(exclusive)) {
      assertTrue(first.request().has(NetmapAbi.NR_EXCLUSIVE));
      assertEquals(Errno.EBUSY, refused(all()));
      assertEquals(Errno.EBUSY, refused(ring(0)));
      assertEquals(Errno.EBUSY, refused(exclusive));
      loop.open(ring(1)).close();
    }
    try (EmulatedPort first = loop.open(all())) {
      assertEquals(2, first.rxRings().size());
      assertEquals(Errno.EBUSY, refused(exclusive));
      loop.open(ring(0)).close();
    }
    loop.open(exclusive).close();
  }

  @Test
  void bindsOneDirectionOnlyWhenAskedTo() throws NetmapException {
    RegisterRequest in = all().withFlags(NetmapAbi.NR_RX_RINGS_ONLY | NetmapAbi.NR_EXCLUSIVE);
    RegisterRequest out = all().withFlags(NetmapAbi.NR_TX_RINGS_ONLY | NetmapAbi.NR_EXCLUSIVE);
    try (EmulatedPort receiver = loop.open(in);
        EmulatedPort sender = loop.open(out)) {
      assertEquals(2, receiver.rxRings().size());
      assertEquals(0, receiver.txRings().size());
      assertEquals(0, sender.rxRings().size());
      assertEquals(2, sender.txRings().size());
    }
  }

  @Test
  void ringNumbersAndModesThatThePortHasNotAreRefused() {
    assertEquals(Errno.EINVAL, refused(ring(2)));
    assertEquals(Errno.EINVAL, refused(ring(-1)));
    assertEquals(Errno.EINVAL, refused(all().with(PortMode.HOST, 0)));
    assertEquals(Errno.EINVAL, refused(all().with(PortMode.NIC_AND_HOST, 0)));
    assertEquals(Errno.EINVAL, refused(all().with(PortMode.ONE_HOST, 0)));
  }

  @Test
  void aUserForWhomThereIsNoNetmapIfLeavesNothingBehind() throws NetmapException {
    try (EmulatedPort first = loop.open("loop");
        EmulatedPort second = loop.open("loop")) {
      assertEquals(first.info(), second.info());
      assertEquals(Errno.ENOMEM, refused(all()));
    }
    assertFalse(pool.inUse());
  }

  @Test
  void aPortForWhichThereAreNoRingsOrBuffersLeavesNothingBehind() throws NetmapException {
    List<LoopDevice> devices =
        List.of(
            // Ring objects for three rings; for rings of 6 slots; buffers for 31 slots.
            new LoopDevice(new Pool.Geometry(2, 128, 3, 512, 80, 2048, 0), TWO_PAIRS),
            new LoopDevice(new Pool.Geometry(2, 128, 6, 352, 80, 2048, 0), TWO_PAIRS),
            new LoopDevice(new Pool.Geometry(2, 128, 6, 512, 33, 2048, 0), TWO_PAIRS));
    for (LoopDevice poor : devices) {
      loop = poor;
      adapter = loop.kept("loop");
      pool = adapter.memory();
      assertEquals(Errno.ENOMEM, refused(all()));
      assertFalse(pool.inUse());
      assertEquals(List.of("config", "+krings", "-krings"), adapter.calls);
    }
  }

  @Test
  void memoryThatTheHostHasNotGotLeavesNothingBehind() throws NetmapException {
    // Rings of a PiB: more than an address space has.
    loop = new LoopDevice(new Pool.Geometry(2, 128, 1 << 20, 1 << 30, 80, 2048, 0), TWO_PAIRS);
    adapter = loop.kept("loop");
    pool = adapter.memory();
    assertEquals(Errno.ENOMEM, refused(all()));
    assertEquals(List.of("config"), adapter.calls);
  }

  @Test
  void anotherWayToServeThePortIsTriedWhenTheFirstFails() throws NetmapException {
    adapter.failing = LoopAdapter.Step.REGISTER;
    adapter.ways = 2;
    try (EmulatedPort port = loop.open("loop")) {
      assertEquals(2, port.txRings().size());
    }
  }

  @Test
  void aClaimedPortIsBusyForEveryUser() throws NetmapException {
    adapter.claim("vale0");
    assertEquals(Errno.EBUSY, refused(all()));
    assertThrows(NetmapException.class, () -> adapter.claim("vale1"));
    adapter.unclaim();
    try (EmulatedPort port = loop.open("loop")) {
      assertEquals(2, port.txRings().size());
      assertThrows(NetmapException.class, () -> adapter.claim("vale0"));
    }
  }

  @Test
  void theLastReferenceEndsTheAdapter() throws NetmapException {
    try (EmulatedPort port = loop.open("loop")) {
      loop.device.ports().release(adapter);
      assertFalse(adapter.destroyed);
      assertEquals(1, port.info().memoryId());
    }
    assertTrue(adapter.destroyed);
  }

  @Test
  void unknownNamesAndMemoriesAreRefused() {
    assertEquals(Errno.ENXIO, refused(RegisterRequest.of("nowhere")));
    assertEquals(Errno.EINVAL, refused(RegisterRequest.of("")));
    assertEquals(Errno.EINVAL, refused(RegisterRequest.of("l".repeat(64))));
    assertEquals(Errno.EINVAL, refused(RegisterRequest.of("any").with(PortMode.NULL, 0)));
    assertEquals(
        Errno.EINVAL, refused(RegisterRequest.of("any").with(PortMode.NULL, 0).inMemory(9)));
  }

  @Test
  void aStepThatCantBeUndoneDoesNotKeepTheOthersFromIt() throws NetmapException {
    EmulatedPort port = loop.open("loop");
    adapter.brokenWhenOff = true;
    port.close();
    assertEquals(0, adapter.activeFds);
    assertFalse(pool.inUse());
    assertEquals(0, adapter.txKrings.length);
  }
}
