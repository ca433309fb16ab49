// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** NICs in a VALE switch: two of them, with a guest's port beside, and what is refused. */
public abstract class AttachConformance extends Conformance {
  private static final String LEFT = "na0";
  private static final String RIGHT = "nb0";
  private static final long ONE = Frames.mac(0x71);
  private static final long TWO = Frames.mac(0x72);
  private static final long GUEST = Frames.mac(0x73);

  private final String vale = fresh("vale");

  private interface Body {
    void run(Peer one, Peer two) throws Exception;
  }

  private void betweenTwoCables(Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth(LEFT, "na1", "promisc on");
          NetworkNamespace.veth(RIGHT, "nb1", "promisc on");
          try (Peer one = new Peer("na1");
              Peer two = new Peer("nb1")) {
            device().attach(RegisterRequest.of(vale + ":" + LEFT));
            device().attach(RegisterRequest.of(vale + ":" + RIGHT));
            body.run(one, two);
          } finally {
            closePorts();
            device().detach(vale + ":" + LEFT);
            device().detach(vale + ":" + RIGHT);
          }
        });
  }

  private static List<Integer> awaitNumbers(Peer peer, int count) {
    List<Integer> numbers = new ArrayList<>();
    NicConformance.await(
        () -> {
          numbers.addAll(numbers(peer.receive()));
          return numbers.size() >= count;
        });
    return numbers;
  }

  @Test
  void twoNicsInASwitchAreABridge() throws Exception {
    betweenTwoCables(
        (one, two) -> {
          NetmapPort guest = open(vale + ":g");
          one.send(Frames.numbered(TWO, ONE, 1));
          assertEquals(List.of(1), awaitNumbers(two, 1));
          assertEquals(List.of(1), numbers(receive(guest)), "not known yet");
          two.send(Frames.numbered(ONE, TWO, 2));
          assertEquals(List.of(2), awaitNumbers(one, 1));
          send(guest, Frames.numbered(ONE, GUEST, 3));
          assertEquals(List.of(3), awaitNumbers(one, 1));
          assertEquals(List.of(), receive(guest), "what is known goes to one port");
        });
  }

  @Test
  void framesInBothDirectionsKeepTheirOrder() throws Exception {
    int frames = 5_000;
    betweenTwoCables(
        (one, two) -> {
          one.send(Frames.numbered(Frames.BROADCAST, ONE, -1));
          awaitNumbers(two, 1);
          two.send(Frames.numbered(Frames.BROADCAST, TWO, -1));
          awaitNumbers(one, 1);
          int right = 0;
          int left = 0;
          for (int i = 0; i < frames; i += 50) {
            for (int j = 0; j < 50; j++) {
              one.send(Frames.numbered(TWO, ONE, i + j));
              two.send(Frames.numbered(ONE, TWO, i + j));
            }
            for (int number : awaitNumbers(two, 50)) {
              assertEquals(right++, number);
            }
            for (int number : awaitNumbers(one, 50)) {
              assertEquals(left++, number);
            }
          }
        });
  }

  @Test
  void whatAGuestLeavesToTheDeviceIsDoneBeforeTheWire() throws Exception {
    betweenTwoCables(
        (one, two) -> {
          NetmapPort guest = open(vale + ":g");
          device().setHeaderLength(vale + ":g", 12);
          one.send(Frames.numbered(Frames.BROADCAST, ONE, -1));
          awaitNumbers(two, 1);
          byte[] whole = Frames.unfinishedTcp(ONE, GUEST, 5000);
          byte[] sent = Frames.withHeader(1, 1460, whole);
          for (int from = 0; from < sent.length; from += 2000) {
            int to = Math.min(sent.length, from + 2000);
            int flags = to < sent.length ? NetmapAbi.NS_MOREFRAG : 0;
            put(guest.txRings().get(0), Arrays.copyOfRange(sent, from, to), flags);
          }
          guest.txSync();
          List<byte[]> got = new ArrayList<>();
          NicConformance.await(
              () -> {
                got.addAll(one.receive());
                return got.size() >= 4;
              });
          assertEquals(4, got.size());
          byte[] data = new byte[5000];
          int at = 0;
          for (byte[] segment : got) {
            assertTrue(Frames.checksumsRight(segment));
            byte[] part = Frames.tcpPayload(segment);
            System.arraycopy(part, 0, data, at, part.length);
            at += part.length;
          }
          assertArrayEquals(Frames.tcpPayload(whole), data);
        });
  }

  @Test
  void refusesWhatCannotBePluggedIn() throws Exception {
    betweenTwoCables(
        (one, two) -> {
          RegisterRequest again = RegisterRequest.of(vale + ":" + LEFT);
          assertRefused(Errno.EBUSY, () -> device().attach(again));
          assertRefused(Errno.EBUSY, () -> open(LEFT));
          RegisterRequest nothing = RegisterRequest.of(vale + ":nosuch");
          assertRefused(Errno.EINVAL, () -> device().attach(nothing));
          device().detach(vale + ":" + LEFT);
          RegisterRequest oneRing = RegisterRequest.of(vale + ":" + LEFT).with(PortMode.ONE_NIC, 0);
          assertRefused(Errno.EINVAL, () -> device().attach(oneRing));
          assertRefused(Errno.EINVAL, () -> open(vale + ":" + LEFT));
          NetmapPort user = open(LEFT);
          assertRefused(Errno.EBUSY, () -> device().attach(again));
          user.close();
          device().attach(again);
        });
  }
}
