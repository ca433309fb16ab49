// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Pool.Census;

/** Opens of a port whose TX leads into its own RX. */
final class EmulatedPortTest {
  private final LoopDevice loop = new LoopDevice(LoopDevice.ONE_PAIR);
  private EmulatedPort port;
  private NetmapRing out;
  private NetmapRing in;

  @BeforeEach
  void open() throws NetmapException {
    port = loop.open("loop");
    out = port.txRings().getFirst();
    in = port.rxRings().getFirst();
  }

  @AfterEach
  void close() {
    port.close();
    assertFalse(port.adapter().memory().inUse());
  }

  private void send(int value) {
    int slot = out.head();
    Memory.fill(out.buffer(slot), 60, value);
    out.set(slot, 60, 0);
    out.advanceTo(out.after(slot, 1));
    port.txSync();
  }

  private static long word(NetmapRing ring, int offset) {
    return Memory.getUnsignedInt(ring.address() + offset);
  }

  private static void put(NetmapRing ring, int offset, int value) {
    Memory.putInt(ring.address() + offset, value);
  }

  private long reinits() {
    return port.adapter().txKrings()[0].reinits() + port.adapter().rxKrings()[0].reinits();
  }

  @Test
  void framesGoRoundAndOneSlotAlwaysStaysEmpty() {
    assertEquals(7, out.space());
    assertEquals(0, in.space());
    for (int i = 0; i < 9; i++) {
      send(i);
    }
    port.rxSync();
    assertEquals(7, in.space());
    assertEquals(List.of(new DeviceDrops("the receiver's ring was full", 2)), port.drops());
    for (int i = 0; i < 7; i++) {
      assertEquals(60, in.length(i));
      assertEquals(i, Memory.getUnsignedByte(in.buffer(i) + 59));
    }
    in.advanceTo(7);
    port.rxSync();
    assertEquals(0, in.space());
    assertEquals(new Census(16, 0, 62, 0, 0), port.adapter().memory().census());
  }

  @Test
  void curAheadOfHeadKeepsTheSlotsBetween() {
    for (int i = 0; i < 3; i++) {
      send(i);
    }
    port.rxSync();
    in.advanceTo(1, 3);
    port.rxSync();
    assertEquals(2, in.space());
    assertEquals(1, port.adapter().rxKrings()[0].hwcur);
    assertEquals(0, reinits());
  }

  @Test
  void badIndexesOfTxSendNothingAndBringTheRingBack() {
    send(1);
    int[][] bad = {{8, 8}, {-1, 1}, {1, -1}, {1, 8}, {0, 1}, {2, 1}};
    for (int[] headAndCur : bad) {
      long before = reinits();
      put(out, NetmapAbi.RING_HEAD, headAndCur[0]);
      put(out, NetmapAbi.RING_CUR, headAndCur[1]);
      port.txSync();
      String what = "head " + headAndCur[0] + " cur " + headAndCur[1];
      assertEquals(before + 1, reinits(), what);
      assertEquals(1, word(out, NetmapAbi.RING_HEAD), what);
      assertEquals(1, word(out, NetmapAbi.RING_CUR), what);
      assertEquals(0, word(out, NetmapAbi.RING_TAIL), what);
    }
    port.rxSync();
    assertEquals(1, in.space());
    out.reload();
    send(2);
    port.rxSync();
    assertEquals(2, in.space());
  }

  @Test
  void badIndexesOfRxReleaseNothing() {
    for (int i = 0; i < 3; i++) {
      send(i);
    }
    port.rxSync();
    for (int[] headAndCur : new int[][] {{4, 4}, {7, 7}, {8, 0}, {0, 4}, {2, 1}, {3, -1}}) {
      put(in, NetmapAbi.RING_HEAD, headAndCur[0]);
      put(in, NetmapAbi.RING_CUR, headAndCur[1]);
      port.rxSync();
      assertEquals(0, word(in, NetmapAbi.RING_HEAD));
      assertEquals(0, word(in, NetmapAbi.RING_CUR));
      assertEquals(3, word(in, NetmapAbi.RING_TAIL));
    }
    in.reload();
    assertEquals(3, in.space());
    assertEquals(6, reinits());
  }

  @Test
  void reinitTakesIndexAndLengthFromSlotsThatNameNoBuffer() {
    long lost = out.bufferIndex(3);
    put(out, 256 + 3 * 16, 1);
    out.set(4, 1793, 0);
    put(out, NetmapAbi.RING_HEAD, 99);
    port.txSync();
    assertEquals(0, out.bufferIndex(3));
    assertEquals(0, out.length(3));
    assertEquals(0, out.length(4));
    put(out, 256 + 3 * 16, (int) lost);
  }

  @Test
  void tailIsTheKernelsAndIsPutRight() {
    put(out, NetmapAbi.RING_TAIL, 3);
    port.txSync();
    assertEquals(7, out.tail());
    assertEquals(0, reinits());
  }

  @Test
  void randomIndexesNeverTakeTheRingsApart() {
    Random random = new Random(3);
    for (int round = 0; round < 20_000; round++) {
      NetmapRing ring = random.nextBoolean() ? out : in;
      put(ring, NetmapAbi.RING_HEAD, random.nextInt(-2, 11));
      put(ring, NetmapAbi.RING_CUR, random.nextInt(-2, 11));
      if (random.nextInt(8) == 0) {
        put(ring, NetmapAbi.RING_TAIL, random.nextInt());
      }
      port.txSync();
      port.rxSync();
      if (round % 100 == 0) {
        assertEquals(new Census(16, 0, 62, 0, 0), port.adapter().memory().census());
      }
    }
    assertTrue(reinits() > 1000);
  }

  @Test
  void stampsTheRingWhenSomethingCame() {
    port.rxSync();
    assertEquals(0, Memory.getLong(in.address() + NetmapAbi.RING_TS));
    send(1);
    port.rxSync();
    long now = System.currentTimeMillis() / 1000;
    long stamped = Memory.getLong(in.address() + NetmapAbi.RING_TS);
    assertTrue(Math.abs(now - stamped) <= 2, stamped + " is not about " + now);
    assertTrue(Memory.getLong(in.address() + NetmapAbi.RING_TS + 8) < 1_000_000);
  }

  @Test
  void theRegionIsWalkedByTheAbisOffsetsAlone() throws Exception {
    send(0x5a);
    port.rxSync();
    Pool memory = port.adapter().memory();
    try (Mapping again = Mapping.of(memory.fd(), 0, port.info().memoryBytes(), false)) {
      long nifp = again.address() + port.offset();
      assertEquals('l', Memory.getUnsignedByte(nifp));
      assertEquals(0, Memory.getUnsignedByte(nifp + 4));
      assertEquals(0, Memory.getUnsignedInt(nifp + 16));
      assertEquals(0, Memory.getUnsignedInt(nifp + 20));
      assertEquals(1, Memory.getUnsignedInt(nifp + 24));
      assertEquals(1, Memory.getUnsignedInt(nifp + 28));
      assertEquals(1, Memory.getUnsignedInt(nifp + 36));
      assertEquals(1, Memory.getUnsignedInt(nifp + 40));
      assertEquals(0, Memory.getLong(nifp + 56 + 8));
      assertEquals(0, Memory.getLong(nifp + 56 + 24));
      long tx = nifp + Memory.getLong(nifp + 56);
      long rx = nifp + Memory.getLong(nifp + 56 + 16);
      assertEquals(1, Memory.getUnsignedShort(tx + 18));
      assertEquals(0, Memory.getUnsignedShort(rx + 18));
      assertEquals(1, Memory.getUnsignedInt(tx + 20));
      assertEquals(1, Memory.getUnsignedInt(rx + 28));
      long buffer = Memory.getUnsignedInt(rx + 256);
      long size = Memory.getUnsignedInt(rx + 12);
      assertEquals(60, Memory.getUnsignedShort(rx + 256 + 4));
      assertEquals(0x5a, Memory.getUnsignedByte(rx + Memory.getLong(rx) + buffer * size));
      // The two rings' buffers are the same ones, as swapping needs it.
      assertEquals(tx + Memory.getLong(tx), rx + Memory.getLong(rx));
    }
  }

  @Test
  void ringsThatAreNotBoundHaveNoOffset() throws NetmapException {
    LoopDevice two = new LoopDevice(new Adapter.Config(2, 2, 0, 0, 4, 4));
    RegisterRequest second = RegisterRequest.of("loop").with(PortMode.ONE_NIC, 1);
    try (EmulatedPort one = two.open(second)) {
      long nifp = one.adapter().memory().address() + one.offset();
      long[] offsets = new long[6];
      for (int i = 0; i < 6; i++) {
        offsets[i] = Memory.getLong(nifp + 56 + 8L * i);
      }
      assertEquals(0, offsets[0] | offsets[2] | offsets[3] | offsets[5]);
      assertNotEquals(0, offsets[1]);
      assertEquals(1, Memory.getUnsignedShort(nifp + offsets[4] + 16));
    }
  }

  @Test
  void extraBuffersAreTheUsersUntilClose() throws NetmapException {
    Pool memory = port.adapter().memory();
    try (EmulatedPort other = loop.open(RegisterRequest.of("loop").withExtraBuffers(5))) {
      assertEquals(5, other.countExtraBuffers());
      assertEquals(new Census(16, 5, 57, 0, 0), memory.census());
      // A buffer of the list goes into a slot, and the slot's into the list.
      long first = other.extraBuffers();
      long rest = Memory.getUnsignedInt(other.buffer(first));
      NetmapRing ring = other.txRings().getFirst();
      long fromSlot = ring.bufferIndex(2);
      ring.setBufferIndex(2, first);
      assertEquals(NetmapAbi.NS_BUF_CHANGED, ring.flags(2));
      Memory.putInt(other.buffer(fromSlot), (int) rest);
      other.setExtraBuffers(fromSlot);
      assertEquals(new Census(16, 5, 57, 0, 0), memory.census());
    }
    assertEquals(new Census(16, 0, 62, 0, 0), memory.census());
  }

  @Test
  void aPortWithoutRingsGetsBuffersOfAMemoryThatExists() throws NetmapException {
    RegisterRequest request =
        RegisterRequest.of("any name").with(PortMode.NULL, 0).inMemory(1).withExtraBuffers(3);
    try (NetmapPort none = loop.device.register(request)) {
      assertEquals(0, none.txRings().size() + none.hostRxRings().size());
      assertEquals(3, none.countExtraBuffers());
      assertEquals(port.buffer(none.extraBuffers()), none.buffer(none.extraBuffers()));
      none.txSync();
      none.rxSync();
    }
    assertEquals(62, port.adapter().memory().freeBuffers());
  }

  @Test
  void noAddressOfABufferThatIsNone() {
    for (long index : new long[] {0, 1, 80, -1, 1L << 32}) {
      assertEquals(0, port.buffer(index));
    }
    assertEquals(in.buffer(0), port.buffer(in.bufferIndex(0)));
  }

  @Test
  void twoUsersOfOneRingShareItsMemory() throws NetmapException {
    try (EmulatedPort other = loop.open("loop")) {
      NetmapRing theirs = other.rxRings().getFirst();
      send(1);
      other.rxSync();
      assertEquals(1, theirs.space());
      assertEquals(1, in.space());
      assertEquals(in.buffer(0), theirs.buffer(0));
    }
  }

  @Test
  void aSleeperIsWokenOnceAndOnlyWhileItIsArmed() throws Exception {
    try (Epoll epoll = new Epoll(4)) {
      epoll.add(port.fd(), Epoll.IN, 0);
      send(1);
      assertEquals(0, epoll.await(0));
      port.rxSync();
      port.arm();
      assertEquals(0, epoll.await(0));
      send(2);
      send(3);
      assertEquals(1, epoll.await(1000));
      port.disarm();
      assertEquals(0, epoll.await(0));
      send(4);
      assertEquals(0, epoll.await(0));
      port.arm();
      port.disarm();
      assertEquals(0, epoll.await(0));
    }
  }

  @Test
  void aSleepingThreadLosesNoWakeUp() throws Exception {
    int frames = 20_000;
    Thread sender =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (int i = 0; i < frames; ) {
                    if (out.space() > 0 && port.adapter().rxKrings()[0].room() > 1) {
                      send(i++);
                    } else {
                      Thread.onSpinWait();
                    }
                  }
                });
    int got = 0;
    try (Epoll epoll = new Epoll(4)) {
      epoll.add(port.fd(), Epoll.IN, 0);
      while (got < frames) {
        port.rxSync();
        int space = in.space();
        if (space == 0) {
          port.arm();
          port.rxSync();
          space = in.space();
          if (space == 0) {
            assertEquals(1, epoll.await(10_000), "woken after " + got + " frames");
          }
          port.disarm();
        }
        for (int i = 0; i < space; i++) {
          assertEquals(got & 0xff, Memory.getUnsignedByte(in.buffer(in.after(in.head(), i))));
          got++;
        }
        in.advanceTo(in.after(in.head(), space));
      }
    }
    sender.join();
    assertEquals(List.of(), port.drops());
  }

  @Test
  void tellsWhatThePortIsLikeWithoutKeepingIt() throws NetmapException {
    assertEquals(port.info(), loop.device.info("loop", 0));
    assertEquals(1, port.info().memoryId());
    assertEquals(port.adapter().memory().bytes(), port.info().memoryBytes());
    assertEquals(8, port.info().rxSlots());
    LoopDevice idle = new LoopDevice(LoopDevice.ONE_PAIR);
    assertEquals(port.info(), idle.device.info("loop", 0));
    assertTrue(idle.adapters.values().stream().allMatch(adapter -> adapter.destroyed));
  }

  @Test
  void aPortTellsWhenItsAdapterFails() {
    assertTrue(port.failure().isEmpty());
    ((LoopAdapter) port.adapter()).failure = "the NIC went away";
    assertEquals("the NIC went away", port.failure().orElseThrow());
  }

  @Test
  void withoutSwitchesThereIsNoneToAskFor() {
    NetmapException refusal =
        assertThrows(NetmapException.class, () -> loop.device.detach("vale0:x"));
    assertEquals(Errno.EOPNOTSUPP, refusal.errno());
  }
}
