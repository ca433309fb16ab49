// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;
import org.vhostnetmap.netmap.emulated.EmulatedPort;
import org.vhostnetmap.netmap.emulated.Pool;

/** What is particular to our pipes: where each buffer is, and how the ends come and go. */
final class PipesTest {
  private final EmulatedDevice device = Netmap.emulated();
  private final List<EmulatedPort> ports = new ArrayList<>();

  @AfterEach
  void close() {
    ports.forEach(NetmapPort::close);
  }

  private EmulatedPort open(RegisterRequest request) throws NetmapException {
    EmulatedPort port = (EmulatedPort) device.register(request);
    ports.add(port);
    return port;
  }

  private EmulatedPort open(String name, int slots) throws NetmapException {
    return open(RegisterRequest.of(name).withRings(1, 1, slots, slots));
  }

  private static void put(NetmapPort port, int mark) {
    NetmapRing ring = port.txRings().get(0);
    Memory.putInt(ring.buffer(ring.head()), mark);
    ring.set(ring.head(), 60, 0);
    ring.advanceTo(ring.after(ring.head(), 1));
    port.txSync();
  }

  private static int take(NetmapPort port) {
    port.rxSync();
    NetmapRing ring = port.rxRings().get(0);
    assertNotEquals(0, ring.space(), "no frame");
    int mark = (int) Memory.getUnsignedInt(ring.buffer(ring.head()));
    ring.advanceTo(ring.after(ring.head(), 1));
    return mark;
  }

  private static void assertEveryBufferOnce(Pool memory) {
    Pool.Census census = memory.census();
    assertEquals(0, census.doubled(), census::toString);
    assertEquals(0, census.lost(), census::toString);
  }

  @Test
  void theFrameIsNotCopiedAndItsBufferComesBackToTheSender() throws Exception {
    EmulatedPort one = open("p{1", 4);
    EmulatedPort other = open("p}1", 4);
    NetmapRing tx = one.txRings().get(0);
    long sent = tx.bufferIndex(0);
    put(one, 7);
    other.rxSync();
    NetmapRing rx = other.rxRings().get(0);
    assertEquals(sent, rx.bufferIndex(0));
    assertNotEquals(0, rx.flags(0) & NetmapAbi.NS_BUF_CHANGED);
    rx.advanceTo(1);
    other.rxSync();
    assertEquals(sent, tx.bufferIndex(0));
  }

  @Test
  void aReaderMayKeepTheFrameAndGiveAnotherBufferBack() throws Exception {
    EmulatedPort one = open("p{1", 4);
    EmulatedPort other = open(RegisterRequest.of("p}1").withRings(1, 1, 4, 4).withExtraBuffers(1));
    long extra = other.extraBuffers();
    other.setExtraBuffers(0);
    put(one, 7);
    other.rxSync();
    NetmapRing rx = other.rxRings().get(0);
    long kept = rx.bufferIndex(0);
    rx.setBufferIndex(0, extra);
    rx.advanceTo(1);
    other.rxSync();
    one.txSync();
    assertEquals(extra, one.txRings().get(0).bufferIndex(0));
    Memory.putInt(other.buffer(kept), 0);
    other.setExtraBuffers(kept);
    assertEveryBufferOnce(one.adapter().memory());
  }

  @Test
  void everyBufferHasOnePlaceWhateverTheTrafficAndTheOrderOfOpens() throws Exception {
    Random random = new Random(5);
    EmulatedPort keeper = open("p{0", 4);
    Pool memory = keeper.adapter().memory();
    for (int round = 0; round < 300; round++) {
      boolean first = random.nextBoolean();
      EmulatedPort one = open(first ? "p{1" : "p}1", 8);
      for (int i = random.nextInt(8); i > 0; i--) {
        put(one, i);
      }
      assertEveryBufferOnce(memory);
      EmulatedPort other = open(first ? "p}1" : "p{1", 8);
      other.rxSync();
      NetmapRing rx = other.rxRings().get(0);
      rx.advanceTo(rx.after(rx.head(), random.nextInt(rx.space() + 1)));
      other.rxSync();
      one.txSync();
      assertEveryBufferOnce(memory);
      (random.nextBoolean() ? one : other).close();
      assertEveryBufferOnce(memory);
      one.close();
      other.close();
      ports.removeAll(List.of(one, other));
      assertEquals(4 * 4, memory.census().slots(), "the keeper's own, both ends");
      assertEveryBufferOnce(memory);
    }
  }

  @Test
  void framesThatWereNotReadAreThereForTheNextReader() throws Exception {
    EmulatedPort one = open("p{1", 8);
    EmulatedPort other = open("p}1", 8);
    put(one, 1);
    put(one, 2);
    assertEquals(1, take(other));
    other.rxSync();
    other.close();
    put(one, 3);
    EmulatedPort again = open("p}1", 8);
    assertEquals(2, take(again));
    assertEquals(3, take(again));
  }

  @Test
  void aBaseTakes64PipesAndNoMore() throws Exception {
    for (int i = 0; i < 64; i++) {
      EmulatedPort end = open("p{" + i, 16);
      put(end, i);
    }
    NetmapException full = assertThrows(NetmapException.class, () -> open("p{more", 16));
    assertEquals(Errno.ENOMEM, full.errno());
    for (int i = 0; i < 64; i++) {
      assertEquals(i, take(open("p}" + i, 16)));
    }
    assertEveryBufferOnce(ports.get(0).adapter().memory());
  }

  @Test
  void aPipeOf256RingsCarriesFramesInEach() throws Exception {
    EmulatedPort one = open(RegisterRequest.of("p{1").withRings(256, 256, 4, 4));
    EmulatedPort other = open("p}1", 4);
    assertEquals(256, other.rxRings().size());
    for (int i = 0; i < 256; i++) {
      NetmapRing ring = one.txRings().get(i);
      ring.set(ring.head(), 60 + i, 0);
      ring.advanceTo(ring.after(ring.head(), 1));
    }
    one.txSync();
    other.rxSync();
    for (int i = 0; i < 256; i++) {
      assertEquals(60 + i, other.rxRings().get(i).length(0));
    }
  }

  @Test
  void aPipeWhoseMemoryIsFullLeavesNothingBehind() throws Exception {
    EmulatedPort one = open("p{1", 16);
    Pool memory = one.adapter().memory();
    Pool.Census before = memory.census();
    NetmapException full =
        assertThrows(
            NetmapException.class,
            () -> open(RegisterRequest.of("p{2").withRings(8, 8, 4096, 4096)));
    assertEquals(Errno.ENOMEM, full.errno());
    assertEquals(before, memory.census());
    put(open("p{2", 16), 9);
    assertEquals(9, take(open("p}2", 16)));
  }

  @Test
  void aSlotWithoutABufferGoesThroughEmptyAndIsCounted() throws Exception {
    EmulatedPort one = open("p{1", 4);
    EmulatedPort other = open("p}1", 4);
    NetmapRing tx = one.txRings().get(0);
    Memory.putInt(tx.address() + NetmapAbi.RING_BYTES, 0x7fff_ffff);
    tx.set(0, 1000, 0);
    tx.advanceTo(1);
    one.txSync();
    put(one, 5);
    other.rxSync();
    NetmapRing rx = other.rxRings().get(0);
    assertEquals(0, rx.buffer(0));
    assertEquals(0, rx.length(0));
    assertEquals(5, Memory.getUnsignedInt(rx.buffer(1)));
    assertFalse(one.drops().isEmpty());
  }

  @Test
  void aBaseThatIsNoPortCannotBeOpenedItself() {
    NetmapException none =
        assertThrows(
            NetmapException.class,
            () -> {
              open("p{1", 4);
              open("p", 4);
            });
    assertEquals(Errno.ENXIO, none.errno());
  }
}
