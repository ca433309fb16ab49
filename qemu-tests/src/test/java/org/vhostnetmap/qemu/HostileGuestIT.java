// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Rings with lies in them, through a real front-end: the ring stops with its reason in the status,
 * or the frame is dropped with its reason, or it arrives.
 */
class HostileGuestIT extends HostileScenarios {
  private static final int HEADER = QtestGuest.HEADER;
  private static final int SIZE = QtestGuest.TRANSMIT_SIZE;

  HostileGuestIT() throws IOException {}

  @ParameterizedTest
  @MethodSource("org.vhostnetmap.qemu.Attack#onTheTransmitRing")
  void transmitRingStopsWithItsReason(Attack attack) throws IOException {
    guest.start(attack.features());
    attack.deed().of(guest);
    assertFault(attack);
  }

  @ParameterizedTest
  @MethodSource("org.vhostnetmap.qemu.Attack#onTheReceiveRing")
  void receiveRingStopsWithItsReason(Attack attack) throws IOException {
    guest.start(attack.features());
    attack.deed().of(guest);
    place.sendToHostile();
    assertFault(attack);
  }

  private void assertFault(Attack attack) throws IOException {
    String fault = place.awaitFault(attack.ring());
    assertTrue(fault.contains(attack.reason()), attack + ": " + fault);
    int other = 1 - attack.ring();
    assertEquals("running", place.ring(other).at("state").string(), "the other ring");
  }

  @Test
  void framesArriveInWhateverPiecesTheirHeaderComes() throws IOException {
    guest.start(QtestGuest.FEATURES);
    byte[] frame = place.toNeighbour(100);
    guest.place(frame);
    for (int pieces = 1; pieces <= HEADER; pieces++) {
      for (int empty = 0; empty <= 1; empty++) {
        guest.sendPieces(split(pieces, empty, frame.length));
        assertArrayEquals(frame, place.neighbour.next(), pieces + " pieces, " + empty + " empty");
      }
    }
  }

  /**
   * The header as so many pieces, each with so many empty ones before it; the frame in one more.
   */
  private static int[] split(int pieces, int empty, int frame) {
    List<Integer> lengths = new ArrayList<>();
    for (int i = 0; i < pieces; i++) {
      lengths.addAll(Collections.nCopies(empty, 0));
      lengths.add(i + 1 < pieces ? 1 : HEADER - (pieces - 1));
    }
    lengths.add(frame);
    return lengths.stream().mapToInt(Integer::intValue).toArray();
  }

  @Test
  void frameInAsManyPiecesAsTheRingIsLongArrives() throws IOException {
    guest.start(QtestGuest.FEATURES);
    byte[] frame = place.toNeighbour(SIZE - HEADER);
    guest.place(frame);
    int[] pieces = new int[SIZE];
    Arrays.fill(pieces, 1);
    guest.sendPieces(pieces);
    assertArrayEquals(frame, place.neighbour.next());
  }

  @Test
  void emptyBuffersMayPointAnywhere() throws IOException {
    guest.start(QtestGuest.FEATURES);
    byte[] frame = place.toNeighbour(100);
    guest.place(frame);
    guest.transmit.descriptor(0, -1, 0, QtestRing.NEXT, 1);
    guest.transmit.descriptor(1, QtestGuest.TRANSMIT_BUFFER, 112, QtestRing.NEXT, 2);
    guest.transmit.descriptor(2, QtestMachine.RAM_END, 0, 0, 0);
    guest.sendHead(0);
    assertArrayEquals(frame, place.neighbour.next());
  }

  @ParameterizedTest
  @ValueSource(ints = {14, 15, 59, 60, 61, 1514, 1518, 2048, 9018, 65535, 65553})
  void framesOfTheseLengthsArrive(int length) throws IOException {
    guest.start(QtestGuest.FEATURES);
    byte[] frame = place.toNeighbour(length);
    guest.send(frame);
    assertArrayEquals(frame, place.neighbour.next());
  }

  @Test
  void chainsShorterThanHeaderAndEthernetAreDroppedAsTooShort() throws IOException {
    guest.start(QtestGuest.FEATURES);
    guest.place(place.toNeighbour(100));
    long before = place.drops("tx0", "too_short");
    for (int length = 0; length < HEADER + 14; length++) {
      guest.sendPieces(length);
    }
    assertEquals(HEADER + 14, place.drops("tx0", "too_short") - before);
  }

  @ParameterizedTest
  @ValueSource(ints = {65554, 65536 + 18, 1 << 20, 16 << 20})
  void longerChainsAreDroppedAsTooLong(int length) throws IOException {
    guest.start(QtestGuest.FEATURES);
    guest.place(place.toNeighbour(100));
    long before = place.drops("tx0", "too_long");
    guest.sendPieces(HEADER + length);
    assertEquals(1, place.drops("tx0", "too_long") - before);
  }

  /** flags, gso_type, gso_size, csum_start, csum_offset, for a frame of 100 bytes that is no IP. */
  private static final int[][] IMPOSSIBLE = {
    {1, 0, 0, 0, 0}, {1, 0, 0, 13, 0}, {1, 0, 0, 99, 0}, {1, 0, 0, 0xffff, 0xffff},
    {1, 0, 0, 50, 49}, {0, 1, 1000, 34, 16}, {1, 1, 0, 34, 16}, {1, 1, 10, 34, 16},
    {1, 4, 10, 54, 16}, {1, 0x81, 1, 34, 16}, {1, 0x80, 10, 34, 16}, {1, 2, 10, 34, 16},
    {1, 3, 10, 34, 6}, {1, 5, 10, 34, 6}, {1, 0xff, 10, 34, 6}, {0xff, 0x7f, 0xffff, 0xffff, 0}
  };

  @Test
  void headersThatAskForTheImpossibleCostTheirFramesAndNothingElse() throws IOException {
    guest.start(QtestGuest.FEATURES | QtestVirtioNet.LEAVES_OFFLOADS);
    long before = place.drops("tx0", "bad_offload");
    for (int[] fields : IMPOSSIBLE) {
      for (int pieces = 1; pieces <= HEADER; pieces += HEADER - 1) {
        guest.place(place.toNeighbour(100));
        guest.qtest.write(QtestGuest.TRANSMIT_BUFFER, header(fields));
        guest.sendPieces(split(pieces, 0, 100));
      }
    }
    assertEquals(2L * IMPOSSIBLE.length, place.drops("tx0", "bad_offload") - before);
    guest.place(place.toNeighbour(100));
    guest.qtest.write(QtestGuest.TRANSMIT_BUFFER, header(1, 0, 0, 20, 70));
    guest.sendPieces(HEADER + 100);
    assertEquals(100, place.neighbour.next().length, "possible, if odd");
  }

  private static byte[] header(int... fields) {
    ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
    header.put((byte) fields[0]).put((byte) fields[1]).putShort((short) 0xffff); // hdr_len lies
    for (int i = 2; i < fields.length; i++) {
      header.putShort((short) fields[i]);
    }
    return header.array();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 11, 12})
  void receiveBuffersWithoutRoomCostOnlyTheirOwnFrames(int length) throws IOException {
    guest.start(QtestGuest.FEATURES);
    for (int i = 0; i < guest.receive.size(); i++) {
      guest.receive.descriptor(i, QtestGuest.receiveBuffer(i), length, QtestRing.WRITE, 0);
    }
    place.sendToHostile();
    place.sendToHostile();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff})
  void callsMayBeWantedAtAnyIndex(int event) throws IOException {
    guest.start(QtestGuest.FEATURES | QtestVirtioNet.EVENT_IDX);
    guest.transmit.usedEvent(event);
    guest.receive.usedEvent(event);
    place.exchange();
    place.exchange();
  }

  @Test
  void usedRingsThatTheGuestScribblesOverKeepTheirOrder() throws IOException {
    guest.start(QtestGuest.FEATURES);
    place.exchange();
    for (QtestRing ring : List.of(guest.receive, guest.transmit)) {
      guest.qtest.memset(ring.used(), 6 + 8L * ring.size(), 0xff);
    }
    byte[] frame = place.toNeighbour(120);
    guest.place(frame);
    guest.transmit.descriptor(0, QtestGuest.TRANSMIT_BUFFER, HEADER + frame.length, 0, 0);
    guest.sendHead(0);
    assertArrayEquals(frame, place.neighbour.next());
    QtestGuest.await("index of the back-end's own", () -> guest.transmit.usedIndex() == 2);
  }
}
