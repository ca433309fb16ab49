// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;

/** The VALE switch. */
public abstract class ValeConformance extends Conformance {
  private static final long A = Frames.mac(1);
  private static final long B = Frames.mac(2);
  private static final long C = Frames.mac(3);

  private final String vale = fresh("vale");

  private NetmapPort port(String name) throws Exception {
    return open(RegisterRequest.of(vale + ":" + name));
  }

  @Test
  void floodsBroadcastToAllButTheSender() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    NetmapPort c = port("c");
    send(a, Frames.numbered(Frames.BROADCAST, A, 1));
    assertEquals(List.of(1), numbers(receive(b)));
    assertEquals(List.of(1), numbers(receive(c)));
    assertEquals(List.of(), receive(a));
  }

  @Test
  void floodsWhatItDoesNotKnowAndForwardsWhatItDoes() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    NetmapPort c = port("c");
    send(a, Frames.numbered(B, A, 1));
    assertEquals(List.of(1), numbers(receive(b)));
    assertEquals(List.of(1), numbers(receive(c)));
    send(b, Frames.numbered(A, B, 2));
    assertEquals(List.of(2), numbers(receive(a)));
    assertEquals(List.of(), receive(c), "A's port is known");
    send(a, Frames.numbered(B, A, 3));
    assertEquals(List.of(3), numbers(receive(b)));
    assertEquals(List.of(), receive(c), "B's port is known");
  }

  @Test
  void followsAnAddressThatMoves() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    NetmapPort c = port("c");
    send(b, Frames.numbered(A, B, 1));
    send(c, Frames.numbered(A, B, 2));
    List.of(a, b, c).forEach(Conformance::receive);
    send(a, Frames.numbered(B, A, 3));
    assertEquals(List.of(3), numbers(receive(c)));
    assertEquals(List.of(), receive(b));
  }

  @Test
  void dropsAFrameForTheSendersOwnPort() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    send(a, Frames.numbered(B, A, 1));
    receive(b);
    send(a, Frames.numbered(A, C, 2));
    assertEquals(List.of(), receive(b));
    assertEquals(List.of(), receive(a));
  }

  @Test
  void keepsSwitchesApart() throws Exception {
    NetmapPort a = port("a");
    NetmapPort elsewhere = open(fresh("vale") + ":b");
    send(a, Frames.numbered(Frames.BROADCAST, A, 1));
    assertEquals(List.of(), receive(elsewhere));
  }

  @Test
  void neverMakesTheSenderWait() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    NetmapRing tx = a.txRings().get(0);
    assertEquals(1024, tx.slots());
    for (int i = 0; i < 1523; i++) {
      if (tx.space() == 0) {
        a.txSync();
        assertEquals(1023, tx.space(), "all slots are back in the same sync");
      }
      put(tx, Frames.numbered(B, A, i));
    }
    a.txSync();
    assertEquals(1023, tx.space());
    List<Integer> got = numbers(receive(b));
    assertEquals(IntStream.range(0, 1023).boxed().toList(), got, "the first ones, in order");
    assertEquals(List.of(), receive(b), "the rest is lost");
  }

  @Test
  void keepsOrderWhileTheReceiverKeepsUp() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    int next = 0;
    for (int sent = 0; sent < 100_000; ) {
      for (int i = 0; i < 500; i++) {
        put(a.txRings().get(0), Frames.numbered(B, A, sent++));
      }
      a.txSync();
      for (byte[] frame : receive(b)) {
        assertEquals(next++, Frames.number(frame));
      }
    }
    assertEquals(100_000, next);
  }

  @Test
  void deliversToTheRingOfTheSendersNumber() throws Exception {
    RegisterRequest two = RegisterRequest.of(vale + ":a").withRings(2, 2, 64, 64);
    NetmapPort a = open(two);
    NetmapPort b = open(RegisterRequest.of(vale + ":b").withRings(2, 2, 64, 64));
    send(b, Frames.numbered(A, B, 1));
    receive(a);
    put(a.txRings().get(1), Frames.numbered(B, A, 2));
    a.txSync();
    b.rxSync();
    assertEquals(List.of(2), numbers(take(b.rxRings().get(1))));
    put(a.txRings().get(1), Frames.numbered(Frames.BROADCAST, A, 3));
    a.txSync();
    b.rxSync();
    assertEquals(List.of(3), numbers(take(b.rxRings().get(0))), "floods go to ring 0");
  }

  @Test
  void passesAFrameOfSeveralSlotsWhole() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    byte[] frame = Frames.numbered(B, A, 1, 5000);
    int piece = 1700;
    for (int from = 0; from < frame.length; from += piece) {
      int to = Math.min(frame.length, from + piece);
      int flags = to < frame.length ? NetmapAbi.NS_MOREFRAG : 0;
      put(a.txRings().get(0), Arrays.copyOfRange(frame, from, to), flags);
    }
    a.txSync();
    b.rxSync();
    NetmapRing rx = b.rxRings().get(0);
    assertEquals(3, rx.space());
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (int i = 0, slot = rx.head(); i < 3; i++, slot = rx.after(slot, 1)) {
      assertEquals(i < 2, (rx.flags(slot) & NetmapAbi.NS_MOREFRAG) != 0);
      whole.writeBytes(frame(rx, slot));
    }
    assertArrayEquals(frame, whole.toByteArray());
  }

  @Test
  void listsItsPorts() throws Exception {
    port("a");
    port("b");
    List<ValePort> ports =
        device().valePorts().stream().filter(p -> p.name().startsWith(vale + ":")).toList();
    assertEquals(List.of(vale + ":a", vale + ":b"), ports.stream().map(ValePort::name).toList());
    assertEquals(1, ports.stream().map(ValePort::bridgeIndex).distinct().count());
    assertEquals(2, ports.stream().map(ValePort::portIndex).distinct().count());
  }

  @Test
  void forgetsAPortThatIsClosed() throws Exception {
    port("a").close();
    assertTrue(device().valePorts().stream().noneMatch(p -> p.name().startsWith(vale + ":")));
    NetmapPort b = port("b");
    NetmapPort c = port("c");
    send(b, Frames.numbered(A, B, 1));
    assertEquals(List.of(1), numbers(receive(c)));
  }

  @Test
  void refusesToUnplugWhatIsNotPluggedIn() {
    assertRefused(Errno.ENXIO, () -> device().detach(vale + ":nosuch"));
  }

  @Test
  void takesHeadersOfThreeLengthsOnOpenPortsOnly() throws Exception {
    String name = vale + ":a";
    assertRefused(Errno.ENXIO, () -> device().setHeaderLength(name, 12));
    port("a");
    assertEquals(0, device().headerLength(name));
    device().setHeaderLength(name, 12);
    assertEquals(12, device().headerLength(name));
    assertRefused(Errno.EINVAL, () -> device().setHeaderLength(name, 11));
    assertRefused(Errno.EIO, () -> open(name));
    open(RegisterRequest.of(name).withFlags(NetmapAbi.NR_ACCEPT_VNET_HDR));
    device().setHeaderLength(name, 10);
    device().setHeaderLength(name, 0);
    open(name);
  }

  @Test
  void passesHeadersOfEqualLengthUntouched() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    device().setHeaderLength(vale + ":a", 12);
    device().setHeaderLength(vale + ":b", 12);
    byte[] frame = Frames.withHeader(0, 0, Frames.unfinishedTcp(B, A, 100));
    send(a, frame);
    List<byte[]> got = receive(b);
    assertEquals(1, got.size());
    assertArrayEquals(frame, got.get(0));
  }

  @Test
  void completesChecksumsForAPortWithoutHeader() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    device().setHeaderLength(vale + ":a", 12);
    send(a, Frames.withHeader(0, 0, Frames.unfinishedTcp(B, A, 101)));
    List<byte[]> got = receive(b);
    assertEquals(1, got.size());
    assertEquals(54 + 101, got.get(0).length);
    assertTrue(Frames.checksumsRight(got.get(0)));
  }

  @Test
  void segmentsForAPortWithoutHeader() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    device().setHeaderLength(vale + ":a", 12);
    byte[] whole = Frames.unfinishedTcp(B, A, 20_000);
    byte[] sent = Frames.withHeader(1, 1460, whole);
    for (int from = 0; from < sent.length; from += 2000) {
      int to = Math.min(sent.length, from + 2000);
      int flags = to < sent.length ? NetmapAbi.NS_MOREFRAG : 0;
      put(a.txRings().get(0), Arrays.copyOfRange(sent, from, to), flags);
    }
    a.txSync();
    List<byte[]> got = receive(b);
    assertEquals(14, got.size(), "20000 bytes by 1460");
    ByteArrayOutputStream payload = new ByteArrayOutputStream();
    for (byte[] segment : got) {
      assertTrue(Frames.checksumsRight(segment));
      assertEquals(1_000_000 + payload.size(), Frames.tcpSequence(segment));
      payload.writeBytes(Frames.tcpPayload(segment));
    }
    assertArrayEquals(Frames.tcpPayload(whole), payload.toByteArray());
  }

  @Test
  void addsAnEmptyHeaderForAPortThatWantsOne() throws Exception {
    NetmapPort a = port("a");
    NetmapPort b = port("b");
    device().setHeaderLength(vale + ":b", 12);
    byte[] frame = Frames.numbered(B, A, 7);
    send(a, frame);
    b.rxSync();
    NetmapRing rx = b.rxRings().get(0);
    ByteArrayOutputStream got = new ByteArrayOutputStream();
    take(rx).forEach(got::writeBytes);
    byte[] bytes = got.toByteArray();
    assertArrayEquals(frame, Arrays.copyOfRange(bytes, 12, bytes.length));
    assertArrayEquals(new byte[10], Arrays.copyOf(bytes, 10));
  }
}
