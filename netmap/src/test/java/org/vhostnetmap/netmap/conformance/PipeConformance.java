// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** Pipes: lossless, without a copy. */
public abstract class PipeConformance extends Conformance {
  private static final long A = Frames.mac(1);
  private static final long B = Frames.mac(2);

  private final String base = fresh("cp");

  private NetmapPort master(int slots) throws Exception {
    return open(RegisterRequest.of(base + "{x").withRings(1, 1, slots, slots));
  }

  private NetmapPort slave() throws Exception {
    return open(base + "}x");
  }

  @Test
  void carriesFramesBothWays() throws Exception {
    NetmapPort master = master(64);
    NetmapPort slave = slave();
    send(master, Frames.numbered(B, A, 1));
    send(slave, Frames.numbered(A, B, 2));
    assertEquals(List.of(1), numbers(receive(slave)));
    assertEquals(List.of(2), numbers(receive(master)));
  }

  @Test
  void givesBothEndsTheSameMemory() throws Exception {
    NetmapPort master = master(64);
    NetmapPort slave = slave();
    assertEquals(master.info().memoryId(), slave.info().memoryId());
    send(master, Frames.numbered(B, A, 1));
    slave.rxSync();
    NetmapRing rx = slave.rxRings().get(0);
    long index = rx.bufferIndex(rx.head());
    assertEquals(1, Frames.number(frame(rx, rx.head())));
    assertEquals(slave.buffer(index), rx.buffer(rx.head()));
  }

  @Test
  void holdsTheSenderUntilTheReaderReleases() throws Exception {
    NetmapPort master = master(64);
    NetmapPort slave = slave();
    NetmapRing tx = master.txRings().get(0);
    for (int i = 0; i < 63; i++) {
      put(tx, Frames.numbered(B, A, i));
    }
    master.txSync();
    assertEquals(0, tx.space());
    master.txSync();
    assertEquals(0, tx.space());
    slave.rxSync();
    NetmapRing rx = slave.rxRings().get(0);
    rx.advanceTo(rx.after(rx.head(), 10));
    slave.rxSync();
    master.txSync();
    assertEquals(10, tx.space());
  }

  @Test
  void losesDoublesAndReordersNothing() throws Exception {
    NetmapPort master = master(256);
    NetmapPort slave = slave();
    NetmapRing tx = master.txRings().get(0);
    int sent = 0;
    int got = 0;
    int frames = 1_000_000;
    while (got < frames) {
      for (int room = tx.space(); room > 0 && sent < frames; room--) {
        put(tx, Frames.numbered(B, A, sent++));
      }
      master.txSync();
      slave.rxSync();
      NetmapRing rx = slave.rxRings().get(0);
      // Not all at once, so that the ends meet at every position.
      int read = Math.min(rx.space(), 100);
      int slot = rx.head();
      for (int i = 0; i < read; i++, slot = rx.after(slot, 1)) {
        assertEquals(got++, Frames.number(frame(rx, slot)));
      }
      rx.advanceTo(slot);
    }
    assertEquals(frames, sent);
  }

  @Test
  void keepsSeveralRingsApart() throws Exception {
    NetmapPort master = open(RegisterRequest.of(base + "{x").withRings(2, 3, 64, 64));
    NetmapPort slave = slave();
    assertEquals(3, slave.txRings().size());
    assertEquals(2, slave.rxRings().size());
    put(master.txRings().get(1), Frames.numbered(B, A, 1));
    master.txSync();
    slave.rxSync();
    assertEquals(List.of(), take(slave.rxRings().get(0)));
    assertEquals(List.of(1), numbers(take(slave.rxRings().get(1))));
  }

  @Test
  void keepsPipesOfOneBaseApart() throws Exception {
    NetmapPort one = open(base + "{1");
    NetmapPort other = open(base + "{2");
    NetmapPort end = open(base + "}2");
    assertEquals(one.info().memoryId(), other.info().memoryId());
    send(one, Frames.numbered(B, A, 1));
    send(other, Frames.numbered(B, A, 2));
    assertEquals(List.of(2), numbers(receive(end)));
  }

  @Test
  void keepsFramesForAnEndThatOpensLater() throws Exception {
    NetmapPort master = master(64);
    send(master, Frames.numbered(B, A, 1), Frames.numbered(B, A, 2));
    assertEquals(List.of(1, 2), numbers(receive(slave())));
  }

  @Test
  void passesFramesOfSeveralSlotsOnlyWhole() throws Exception {
    NetmapPort master = master(64);
    NetmapPort slave = slave();
    NetmapRing tx = master.txRings().get(0);
    put(tx, Frames.numbered(B, A, 1), NetmapAbi.NS_MOREFRAG);
    master.txSync();
    assertEquals(List.of(), receive(slave));
    put(tx, Frames.numbered(B, A, 2));
    master.txSync();
    assertEquals(List.of(1, 2), numbers(receive(slave)));
  }

  @Test
  void hangsOnAValePortToo() throws Exception {
    String vale = fresh("vale") + ":p";
    NetmapPort parent = open(vale);
    NetmapPort master = open(vale + "{1");
    NetmapPort slave = open(vale + "}1");
    assertEquals(parent.info().memoryId(), master.info().memoryId());
    send(master, Frames.numbered(B, A, 1));
    assertEquals(List.of(1), numbers(receive(slave)));
    assertEquals(List.of(), receive(parent));
  }

  @Test
  void opensAnewAfterBothEndsClosed() throws Exception {
    for (int i = 0; i < 20; i++) {
      NetmapPort master = master(64);
      NetmapPort slave = slave();
      send(master, Frames.numbered(B, A, i));
      assertEquals(List.of(i), numbers(receive(slave)));
      slave.close();
      master.close();
    }
  }

  @Test
  void refusesModesAndNamesThatPipesDoNotHave() {
    RegisterRequest pipe = RegisterRequest.of(base + "{x");
    assertRefused(Errno.EINVAL, () -> open(pipe.with(PortMode.HOST, 0)));
    assertRefused(Errno.EINVAL, () -> open(pipe.with(PortMode.NIC_AND_HOST, 0)));
    assertRefused(Errno.EINVAL, () -> open(base + "{"));
    assertRefused(Errno.EINVAL, () -> open("{x"));
  }

  @Test
  void losesItsSenderWithoutHarm() throws Exception {
    NetmapPort master = master(64);
    NetmapPort slave = slave();
    send(master, Frames.numbered(B, A, 1));
    master.close();
    slave.txSync();
    receive(slave);
    assertTrue(slave.txRings().get(0).space() >= 0);
    NetmapPort again = master(64);
    send(again, Frames.numbered(B, A, 2));
    List<Integer> got = numbers(receive(slave));
    assertEquals(2, got.get(got.size() - 1));
  }
}
