// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.bridge.Frames.mac;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;

/** Offloads across a VALE switch, by a port of the bridge whose frames go with headers. */
final class ValeOffloadTest {
  private static final long TO = mac(2);
  private static final long FROM = mac(1);

  private interface Body {
    void run(Lan lan, Guest guest, NetmapPort peer) throws Exception;
  }

  /** A guest, {@code vale7:us} with headers, and at the switch a peer with or without. */
  private static void withPeer(int headerBytes, Body body) throws Exception {
    try (NetmapDevice netmap = Netmap.emulated();
        NetmapPort peer =
            netmap.register(
                RegisterRequest.of("vale7:peer").withFlags(NetmapAbi.NR_ACCEPT_VNET_HDR))) {
      netmap.setHeaderLength("vale7:peer", headerBytes);
      try (Lan lan = new Lan()) {
        Guest guest = lan.offloading();
        lan.add(
            new NetmapBridgePort(
                "vale7:us",
                lan.bridge,
                lan.loop,
                netmap,
                RegisterRequest.of("vale7:us").withFlags(NetmapAbi.NR_ACCEPT_VNET_HDR),
                new NicSettings(false, false, false)));
        lan.start();
        guest.up().buffers(200, 2048);
        body.run(lan, guest, peer);
      }
    }
  }

  private static List<byte[]> awaitAtPeer(NetmapPort peer, int count) {
    NetmapRing ring = peer.rxRings().getFirst();
    List<byte[]> got = new ArrayList<>();
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    Lan.await(
        count + " frames",
        () -> {
          peer.rxSync();
          for (; ring.space() > 0; ring.advanceTo(ring.after(ring.head(), 1))) {
            byte[] part = new byte[ring.length(ring.head())];
            Memory.copyToArray(ring.buffer(ring.head()), part, 0, part.length);
            frame.writeBytes(part);
            if ((ring.flags(ring.head()) & NetmapAbi.NS_MOREFRAG) == 0) {
              got.add(frame.toByteArray());
              frame.reset();
            }
          }
          return got.size() >= count;
        });
    return got;
  }

  private static void sendFromPeer(NetmapPort peer, int firstBytes, byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    byte[] bytes = all.toByteArray();
    NetmapRing ring = peer.txRings().getFirst();
    int slot = ring.head();
    for (int at = 0; at < bytes.length; slot = ring.after(slot, 1)) {
      int part = Math.min(bytes.length - at, at == 0 ? firstBytes : ring.bufferBytes());
      Memory.copyFromArray(Arrays.copyOfRange(bytes, at, at + part), 0, ring.buffer(slot), part);
      at += part;
      ring.set(slot, part, at < bytes.length ? NetmapAbi.NS_MOREFRAG : 0);
    }
    ring.advanceTo(slot);
    peer.txSync();
  }

  @Test
  void aPeerWithHeadersGetsTheFrameWholeAndOneWithoutGetsItCutByTheSwitch() throws Exception {
    Packet packet = Packet.tcp4(8000);
    byte[] frame = packet.frame(TO, FROM);
    withPeer(
        12,
        (lan, guest, peer) -> {
          guest.sendWith(packet.segmentHeader(12, 1448), frame);
          guest.sendWith(new byte[12], Frames.frame(TO, FROM, 60, 1));
          List<byte[]> got = awaitAtPeer(peer, 2);
          byte[] header = packet.segmentHeader(12, 1448);
          assertArrayEquals(header, Arrays.copyOf(got.get(0), 12));
          assertArrayEquals(frame, Arrays.copyOfRange(got.get(0), 12, got.get(0).length));
          assertArrayEquals(new byte[12], Arrays.copyOf(got.get(1), 12));
          assertEquals(72, got.get(1).length);
        });
    withPeer(
        0,
        (lan, guest, peer) -> {
          guest.sendWith(packet.segmentHeader(12, 1448), frame);
          packet.verifySegments(awaitAtPeer(peer, 6), 1448);
        });
  }

  @Test
  void datagramsAreCutBeforeASwitchThatKnowsNothingOfThem() throws Exception {
    Packet packet = Packet.udp6(8000);
    withPeer(
        12,
        (lan, guest, peer) -> {
          guest.sendWith(packet.segmentHeader(12, 1000), packet.frame(TO, FROM));
          List<byte[]> got = awaitAtPeer(peer, 8);
          packet.verifySegments(
              got.stream().map(one -> Arrays.copyOfRange(one, 12, one.length)).toList(), 1000);
          assertEquals(8, lan.queue("vale7:us", "out0").segments());
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {12, 80, 2048})
  void whatAPeerLeavesUndoneReachesAGuestThatTakesItWhole(int firstBytes) throws Exception {
    Packet packet = Packet.tcp6(8000);
    byte[] frame = packet.frame(TO, FROM);
    withPeer(
        12,
        (lan, guest, peer) -> {
          sendFromPeer(peer, firstBytes, packet.segmentHeader(12, 1400), frame);
          byte[] bad = packet.segmentHeader(12, 0);
          sendFromPeer(peer, firstBytes, bad, frame);
          sendFromPeer(peer, firstBytes, new byte[12], Frames.frame(TO, FROM, 60, 5));
          List<Guest.Received> got = new ArrayList<>();
          Lan.await(
              "two frames",
              () -> {
                got.addAll(guest.receiveWithHeaders(0, 2048));
                return got.size() == 2;
              });
          byte[] header = packet.segmentHeader(12, 1400);
          header[10] = got.getFirst().header()[10];
          assertArrayEquals(header, got.getFirst().header());
          assertArrayEquals(frame, got.getFirst().frame());
          assertEquals(5, Frames.number(got.getLast().frame()));
          assertEquals(1, lan.drops("vale7:us", "in0", DropReason.BAD_OFFLOAD));
        });
  }
}
