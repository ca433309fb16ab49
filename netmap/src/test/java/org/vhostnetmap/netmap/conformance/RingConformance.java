// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** Registration, ownership of slots, indexes, memory and waiting, shown on VALE ports and pipes. */
public abstract class RingConformance extends Conformance {
  private static final long A = Frames.mac(1);
  private static final long B = Frames.mac(2);

  /** Set by {@link #openPipe}, which tests call that use them. */
  @SuppressWarnings("NullAway.Init")
  private NetmapPort first;

  @SuppressWarnings("NullAway.Init")
  private NetmapPort second;

  private void openPipe() throws Exception {
    String base = fresh("cr");
    first = open(exclusive(base + "{1").withRings(1, 1, 64, 64));
    second = open(exclusive(base + "}1"));
  }

  private static RegisterRequest exclusive(String name) {
    return RegisterRequest.of(name).withFlags(NetmapAbi.NR_EXCLUSIVE);
  }

  private static RegisterRequest vale() {
    return RegisterRequest.of(fresh("vale") + ":p");
  }

  @Test
  void freshRingsBelongAsTheyShould() throws Exception {
    NetmapPort port = open(vale());
    NetmapRing tx = port.txRings().get(0);
    assertEquals(0, head(tx));
    assertEquals(0, field(tx, NetmapAbi.RING_CUR));
    assertEquals(tx.slots() - 1, tail(tx));
    assertEquals(1, Memory.getUnsignedShort(tx.address() + NetmapAbi.RING_DIR));
    NetmapRing rx = port.rxRings().get(0);
    assertEquals(0, head(rx));
    assertEquals(0, tail(rx));
    assertEquals(0, Memory.getUnsignedShort(rx.address() + NetmapAbi.RING_DIR));
  }

  @Test
  void answersWithWhatThePortIsLike() throws Exception {
    RegisterRequest request = vale().withRings(2, 3, 128, 256);
    NetmapPort port = open(request);
    PortInfo info = port.info();
    assertEquals(2, info.txRings());
    assertEquals(3, info.rxRings());
    assertEquals(128, info.txSlots());
    assertEquals(256, info.rxSlots());
    assertTrue(info.memoryId() > 1, "a memory of its own");
    assertEquals(2, port.txRings().size());
    assertEquals(3, port.rxRings().size());
    assertEquals(List.of(), port.hostTxRings());
    assertEquals(256, port.rxRings().get(2).slots());
    PortInfo asked = device().info(request.name(), 0);
    assertEquals(info.memoryId(), asked.memoryId());
    assertEquals(info.memoryBytes(), asked.memoryBytes());
    assertEquals(2, asked.txRings());
  }

  @Test
  void everySlotNamesABufferOfItsOwn() throws Exception {
    NetmapPort port = open(vale().withRings(2, 2, 32, 32).withExtraBuffers(5));
    Set<Long> named = new HashSet<>();
    for (List<NetmapRing> rings : List.of(port.txRings(), port.rxRings())) {
      for (NetmapRing ring : rings) {
        IntStream.range(0, ring.slots()).forEach(slot -> named.add(ring.bufferIndex(slot)));
      }
    }
    int extra = 0;
    for (long index = port.extraBuffers(); index != 0; extra++) {
      assertTrue(named.add(index), "an extra buffer that a ring names");
      index = Memory.getUnsignedInt(port.buffer(index));
    }
    assertEquals(5, extra);
    assertEquals(4 * 32 + 5, named.size());
    assertTrue(named.stream().allMatch(index -> index >= NetmapAbi.FIRST_BUFFER));
  }

  @Test
  void movesNothingBeforeTheSync() throws Exception {
    openPipe();
    put(first.txRings().get(0), Frames.numbered(B, A, 1));
    assertEquals(List.of(), receive(second));
    first.txSync();
    assertEquals(0, second.rxRings().get(0).space(), "the reader has not synced yet");
    assertEquals(List.of(1), numbers(receive(second)));
  }

  @Test
  void givesSlotsBackOnlyWhenReleasedAndSynced() throws Exception {
    openPipe();
    send(first, Frames.numbered(B, A, 1), Frames.numbered(B, A, 2));
    second.rxSync();
    NetmapRing rx = second.rxRings().get(0);
    assertEquals(2, rx.space());
    rx.advanceTo(rx.after(rx.head(), 1));
    second.rxSync();
    assertEquals(1, rx.space(), "the other frame is still the user's");
    assertEquals(2, Frames.number(frame(rx, rx.head())));
  }

  @Test
  void keepsOneSlotEmpty() throws Exception {
    openPipe();
    NetmapRing tx = first.txRings().get(0);
    for (int i = 0; i < 63; i++) {
      put(tx, Frames.numbered(B, A, i));
    }
    assertEquals(0, tx.space());
    first.txSync();
    second.rxSync();
    assertEquals(63, second.rxRings().get(0).space());
  }

  @Test
  void walksTheRingsEndManyTimes() throws Exception {
    openPipe();
    int next = 0;
    for (int round = 0; round < 50; round++) {
      int burst = 1 + round % 20;
      for (int i = 0; i < burst; i++) {
        put(first.txRings().get(0), Frames.numbered(B, A, next + i));
      }
      first.txSync();
      List<Integer> wanted = IntStream.range(next, next + burst).boxed().toList();
      assertEquals(wanted, numbers(receive(second)));
      second.rxSync();
      first.txSync();
      next += burst;
    }
  }

  @Test
  void exchangesABufferWithoutACopy() throws Exception {
    String base = fresh("cr");
    NetmapPort sender = open(exclusive(base + "{1").withRings(1, 1, 64, 64).withExtraBuffers(1));
    NetmapPort reader = open(exclusive(base + "}1"));
    assertEquals(sender.info().memoryId(), reader.info().memoryId());
    long extra = sender.extraBuffers();
    byte[] frame = Frames.numbered(B, A, 99);
    Memory.copyFromArray(frame, 0, sender.buffer(extra), frame.length);
    NetmapRing tx = sender.txRings().get(0);
    int slot = tx.head();
    long before = tx.bufferIndex(slot);
    tx.set(slot, frame.length, 0);
    tx.setBufferIndex(slot, extra);
    tx.advanceTo(tx.after(slot, 1));
    sender.txSync();
    reader.rxSync();
    NetmapRing rx = reader.rxRings().get(0);
    assertEquals(1, rx.space());
    assertArrayEquals(frame, frame(rx, rx.head()));
    assertEquals(extra, rx.bufferIndex(rx.head()), "the buffer itself has come");
    sender.setExtraBuffers(before);
    Memory.putInt(sender.buffer(before), 0);
  }

  @Test
  void refusesRingsThatSomebodyHasAlone() throws Exception {
    RegisterRequest request = vale().withRings(2, 2, 64, 64);
    RegisterRequest alone = request.withFlags(NetmapAbi.NR_EXCLUSIVE);
    open(alone.with(PortMode.ONE_NIC, 0));
    assertRefused(Errno.EBUSY, () -> open(request.with(PortMode.ONE_NIC, 0)));
    assertRefused(Errno.EBUSY, () -> open(request));
    NetmapPort other = open(request.with(PortMode.ONE_NIC, 1));
    assertRefused(Errno.EBUSY, () -> open(alone.with(PortMode.ONE_NIC, 1)));
    assertEquals(1, other.txRings().size());
    assertEquals(1, other.txRings().get(0).id());
  }

  @Test
  void sharesRingsThatNobodyHasAlone() throws Exception {
    RegisterRequest request = vale();
    NetmapPort one = open(request);
    NetmapPort other = open(request);
    put(one.txRings().get(0), Frames.numbered(B, A, 1));
    assertEquals(1, head(other.txRings().get(0)), "the same ring in the same memory");
  }

  @Test
  void bindsOneDirectionOnly() throws Exception {
    RegisterRequest request = vale();
    NetmapPort tx = open(request.withFlags(NetmapAbi.NR_TX_RINGS_ONLY));
    assertEquals(1, tx.txRings().size());
    assertEquals(List.of(), tx.rxRings());
    NetmapPort rx = open(request.withFlags(NetmapAbi.NR_RX_RINGS_ONLY));
    assertEquals(List.of(), rx.txRings());
    assertEquals(1, rx.rxRings().size());
  }

  @Test
  void refusesWhatAPortDoesNotHave() throws Exception {
    RegisterRequest request = vale();
    open(request);
    assertRefused(Errno.EINVAL, () -> open(request.with(PortMode.ONE_NIC, 1)));
    assertRefused(Errno.EINVAL, () -> open(request.with(PortMode.HOST, 0)));
    assertRefused(Errno.EINVAL, () -> open(request.with(PortMode.NIC_AND_HOST, 0)));
    assertRefused(Errno.EINVAL, () -> open(vale().inMemory(4321)));
    assertRefused(Errno.ENXIO, () -> open("cr-nosuch"));
    assertRefused(Errno.EINVAL, () -> open(RegisterRequest.of("m").with(PortMode.NULL, 0)));
  }

  @Test
  void opensAMemoryWithoutRings() throws Exception {
    NetmapPort port = open(vale());
    int memory = port.info().memoryId();
    NetmapPort bare = open(RegisterRequest.of("m").with(PortMode.NULL, 0).inMemory(memory));
    assertEquals(memory, bare.info().memoryId());
    assertEquals(List.of(), bare.txRings());
    assertEquals(List.of(), bare.rxRings());
  }

  @Test
  void placesAPortInTheMemoryOfAnother() throws Exception {
    NetmapPort port = open(vale().withRings(1, 1, 256, 256));
    int memory = port.info().memoryId();
    NetmapPort guest = open(vale().withRings(1, 1, 16, 16).inMemory(memory));
    assertEquals(memory, guest.info().memoryId());
    long index = guest.txRings().get(0).bufferIndex(0);
    assertEquals(guest.buffer(index), guest.txRings().get(0).buffer(0));
    assertNotEquals(0, port.buffer(index));
  }

  @Test
  void leavesNoRingFlagOfAFormerUser() throws Exception {
    RegisterRequest request = vale().withFlags(NetmapAbi.NR_EXCLUSIVE);
    NetmapPort port = open(request);
    port.rxRings().get(0).setRingFlags(NetmapAbi.NR_FORWARD);
    port.txRings().get(0).setRingFlags(NetmapAbi.NR_FORWARD);
    port.close();
    for (int i = 0; i < 4; i++) {
      NetmapPort next = open(request);
      assertEquals(0, next.rxRings().get(0).ringFlags() & NetmapAbi.NR_FORWARD);
      assertEquals(0, next.txRings().get(0).ringFlags() & NetmapAbi.NR_FORWARD);
      next.close();
    }
  }

  @Test
  void goesOnAfterAHeadBeyondTail() throws Exception {
    openPipe();
    NetmapRing tx = first.txRings().get(0);
    send(first, Frames.numbered(B, A, 1));
    receive(second);
    second.rxSync();
    first.txSync();
    tx.advanceTo(tx.after(tx.tail(), 1));
    first.txSync();
    tx.reload();
    assertEquals(List.of(), receive(second), "nothing of that was sent");
    send(first, Frames.numbered(B, A, 2));
    assertEquals(List.of(2), numbers(receive(second)));
  }

  @Test
  void goesOnAfterAHeadOutsideTheRing() throws Exception {
    openPipe();
    NetmapRing tx = first.txRings().get(0);
    send(first, Frames.numbered(B, A, 1));
    receive(second);
    Memory.putInt(tx.address() + NetmapAbi.RING_HEAD, 0x7fffffff);
    Memory.putInt(tx.address() + NetmapAbi.RING_CUR, -1);
    first.txSync();
    tx.reload();
    assertTrue(head(tx) < tx.slots());
    assertEquals(List.of(), receive(second));
    send(first, Frames.numbered(B, A, 2));
    assertEquals(List.of(2), numbers(receive(second)));
  }

  @Test
  void survivesABufferIndexThatNamesNothing() throws Exception {
    String vale = fresh("vale");
    NetmapPort a = open(exclusive(vale + ":a"));
    NetmapPort b = open(exclusive(vale + ":b"));
    NetmapRing tx = a.txRings().get(0);
    long mine = tx.bufferIndex(0);
    put(tx, Frames.numbered(B, A, 1));
    tx.setBufferIndex(0, 0x7ffffff0L);
    a.txSync();
    receive(b); // the kernel sends what lies in its junk buffer, the emulated device nothing
    tx.reload();
    tx.setBufferIndex(0, mine);
    send(a, Frames.numbered(B, A, 2));
    assertEquals(List.of(2), numbers(receive(b)));
    assertTrue(a.failure().isEmpty());
  }

  @Test
  void wakesWhoSleepsOnNews() throws Exception {
    openPipe();
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(second.fd(), Epoll.IN, 0);
      second.arm();
      second.rxSync();
      assertEquals(0, epoll.await(0), "nothing has come");
      send(first, Frames.numbered(B, A, 1));
      assertEquals(1, epoll.await(5000));
      second.disarm();
      assertEquals(List.of(1), numbers(receive(second)));
      second.rxSync();
      second.arm();
      assertEquals(0, epoll.await(0), "all is read");
    }
  }

  @Test
  void wakesWhoSleepsForRoom() throws Exception {
    openPipe();
    NetmapRing tx = first.txRings().get(0);
    while (tx.space() > 0) {
      put(tx, Frames.numbered(B, A, 1));
    }
    first.txSync();
    assertEquals(0, tx.space());
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(first.fd(), Epoll.IN, 0);
      first.arm();
      assertEquals(0, epoll.await(0), "the reader has not read");
      receive(second);
      second.rxSync();
      assertEquals(1, epoll.await(5000));
      first.disarm();
      first.txSync();
      assertEquals(63, tx.space());
    }
  }

  @Test
  void opensAndClosesManyTimes() throws Exception {
    RegisterRequest request = vale().withFlags(NetmapAbi.NR_EXCLUSIVE).withRings(1, 1, 64, 64);
    for (int i = 0; i < 200; i++) {
      NetmapPort port = device().register(request);
      send(port, Frames.numbered(B, A, i));
      port.close();
    }
    assertEquals(1, open(request).txRings().size());
  }
}
