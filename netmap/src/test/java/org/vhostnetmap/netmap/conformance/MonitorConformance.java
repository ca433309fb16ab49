// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.RegisterRequest;

/** Monitors: a look at a port that somebody else has open. */
public abstract class MonitorConformance extends Conformance {
  private static final long A = Frames.mac(1);
  private static final long B = Frames.mac(2);

  private final String base = fresh("cm");

  private NetmapPort end(String brace) throws Exception {
    return open(RegisterRequest.of(base + brace + "x").withRings(1, 1, 64, 64));
  }

  private NetmapPort monitor(String brace, long flags) throws Exception {
    return open(RegisterRequest.of(base + brace + "x").withFlags(flags));
  }

  @Test
  void refusesAPortThatNobodyHasOpen() {
    RegisterRequest idle =
        RegisterRequest.of(fresh("vale") + ":p").withFlags(NetmapAbi.NR_MONITOR_RX);
    assertRefused(Errno.EINVAL, () -> open(idle));
  }

  @Test
  void seesWhatAPortSends() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    NetmapPort monitor = monitor("{", NetmapAbi.NR_MONITOR_TX);
    send(master, Frames.numbered(B, A, 1), Frames.numbered(B, A, 2));
    send(slave, Frames.numbered(A, B, 3));
    receive(master);
    assertEquals(List.of(1, 2), numbers(receive(monitor)));
    assertEquals(List.of(1, 2), numbers(receive(slave)), "the port lost nothing");
  }

  @Test
  void seesWhatAPortReceives() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    NetmapPort monitor = monitor("}", NetmapAbi.NR_MONITOR_RX);
    send(master, Frames.numbered(B, A, 1));
    send(slave, Frames.numbered(A, B, 2));
    slave.rxSync();
    assertEquals(List.of(1), numbers(receive(monitor)));
    assertEquals(List.of(1), numbers(receive(slave)));
  }

  @Test
  void seesBothDirections() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    NetmapPort monitor = monitor("}", NetmapAbi.NR_MONITOR_RX | NetmapAbi.NR_MONITOR_TX);
    send(master, Frames.numbered(B, A, 1));
    slave.rxSync();
    send(slave, Frames.numbered(A, B, 2));
    assertEquals(List.of(1, 2), numbers(receive(monitor)));
  }

  @Test
  void copiesIntoAMemoryOfItsOwn() throws Exception {
    NetmapPort master = end("{");
    end("}");
    NetmapPort monitor = monitor("{", NetmapAbi.NR_MONITOR_TX);
    assertNotEquals(master.info().memoryId(), monitor.info().memoryId());
  }

  @Test
  void seesVale() throws Exception {
    String vale = fresh("vale");
    NetmapPort a = open(vale + ":a");
    NetmapPort b = open(vale + ":b");
    NetmapPort monitor = open(RegisterRequest.of(vale + ":b").withFlags(NetmapAbi.NR_MONITOR_RX));
    send(a, Frames.numbered(B, A, 1));
    assertEquals(List.of(1), numbers(receive(monitor)), "even before the reader looks");
    assertEquals(List.of(1), numbers(receive(b)));
  }

  @Test
  void losesWhatItDoesNotReadAndSlowsNobody() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    NetmapPort monitor = monitor("{", NetmapAbi.NR_MONITOR_TX);
    int next = 0;
    for (int round = 0; round < 10; round++) {
      for (int i = 0; i < 50; i++) {
        put(master.txRings().get(0), Frames.numbered(B, A, round * 50 + i));
      }
      master.txSync();
      for (byte[] frame : receive(slave)) {
        assertEquals(next++, Frames.number(frame));
      }
      slave.rxSync();
      master.txSync();
    }
    assertEquals(500, next);
    List<Integer> seen = numbers(receive(monitor));
    assertEquals(monitor.rxRings().get(0).slots() - 1, seen.size());
    assertEquals(IntStream.range(0, 50).boxed().toList(), seen.subList(0, 50));
    assertEquals(seen.stream().sorted().distinct().toList(), seen, "in order, none twice");
  }

  @Test
  void passesTheBuffersThemselvesWithoutACopy() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    NetmapPort monitor = monitor("}", NetmapAbi.NR_ZCOPY_MON);
    assertEquals(slave.info().memoryId(), monitor.info().memoryId());
    byte[] frame = Frames.numbered(B, A, 1);
    send(master, frame);
    slave.rxSync();
    assertEquals(List.of(1), numbers(take(slave.rxRings().get(0))));
    slave.rxSync();
    List<byte[]> seen = receive(monitor);
    assertEquals(1, seen.size(), "seen once the reader has released it");
    assertArrayEquals(frame, seen.get(0));
  }

  @Test
  void endsWithoutHarmToThePort() throws Exception {
    NetmapPort master = end("{");
    NetmapPort slave = end("}");
    for (int i = 0; i < 10; i++) {
      NetmapPort monitor = monitor("{", NetmapAbi.NR_MONITOR_TX);
      send(master, Frames.numbered(B, A, i));
      monitor.close();
      assertEquals(List.of(i), numbers(receive(slave)));
      slave.rxSync();
      master.txSync();
    }
  }

  @Test
  void survivesThePortItLooksAt() throws Exception {
    NetmapPort master = end("{");
    NetmapPort monitor = monitor("{", NetmapAbi.NR_MONITOR_TX);
    master.close();
    monitor.rxSync();
    assertEquals(List.of(), take(monitor.rxRings().get(0)));
  }
}
