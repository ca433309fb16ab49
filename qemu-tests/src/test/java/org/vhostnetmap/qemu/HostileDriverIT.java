// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.qemu.QtestGuest.RECEIVE_RING;
import static org.vhostnetmap.qemu.QtestGuest.TRANSMIT_RING;
import static org.vhostnetmap.qemu.QtestMachine.HIGH_RAM;
import static org.vhostnetmap.qemu.QtestMachine.LOW_RAM_END;
import static org.vhostnetmap.qemu.QtestMachine.RAM_END;
import static org.vhostnetmap.qemu.QtestVirtioNet.RECEIVEQ;
import static org.vhostnetmap.qemu.QtestVirtioNet.TRANSMITQ;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver that misuses the device itself: rings in places where none can be, registers written
 * when they must not be, resets at the wrong moment.
 */
class HostileDriverIT extends HostileScenarios {
  private static final int RESETS = 200;
  private static final long ELSEWHERE = 0x16_0000;

  HostileDriverIT() throws IOException {}

  /** Where the three parts of a ring are said to be. */
  record RingPlace(String name, long descriptors, long available, long used) {
    private static RingPlace whole(String name, long base) {
      return new RingPlace(name, base, base + 0x1000, base + 0x2000);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<RingPlace> impossiblePlaces() {
    return Stream.of(
        RingPlace.whole("behind the end of RAM", RAM_END),
        RingPlace.whole("across the end of RAM", RAM_END - 0x2100),
        new RingPlace(
            "used ring across the end of RAM", ELSEWHERE, ELSEWHERE + 0x1000, RAM_END - 8),
        RingPlace.whole("in the hole", LOW_RAM_END),
        RingPlace.whole("across the beginning of the hole", LOW_RAM_END - 0x2100),
        RingPlace.whole("across the end of the hole", HIGH_RAM - 0x100),
        RingPlace.whole("in the device's registers", 0xe000_0000L),
        RingPlace.whole("at the highest address", -16),
        RingPlace.whole("at a negative address", Long.MIN_VALUE),
        RingPlace.whole("nowhere", -0x1000),
        RingPlace.whole("unaligned", ELSEWHERE + 1),
        new RingPlace(
            "descriptors unaligned", ELSEWHERE + 8, ELSEWHERE + 0x1000, ELSEWHERE + 0x2000),
        new RingPlace("available odd", ELSEWHERE, ELSEWHERE + 0x1001, ELSEWHERE + 0x2000),
        new RingPlace("used unaligned", ELSEWHERE, ELSEWHERE + 0x1000, ELSEWHERE + 0x2002),
        new RingPlace("all parts in one place", ELSEWHERE, ELSEWHERE, ELSEWHERE),
        new RingPlace("used over descriptors", ELSEWHERE, ELSEWHERE + 0x1000, ELSEWHERE),
        new RingPlace("over the receive ring", RECEIVE_RING, RECEIVE_RING, RECEIVE_RING),
        RingPlace.whole("at address 0", 0));
  }

  @ParameterizedTest
  @MethodSource("impossiblePlaces")
  void ringsMayBeSaidToLieAnywhere(RingPlace ring) throws IOException {
    guest.start(QtestGuest.FEATURES);
    for (int queue : new int[] {TRANSMITQ, RECEIVEQ}) {
      guest.device.driverNotOk();
      guest.device.enableQueue(
          queue, QtestGuest.TRANSMIT_SIZE, ring.descriptors, ring.available, ring.used);
      guest.device.driverOk();
      guest.device.kick(TRANSMITQ);
      place.sendToHostile();
      place.assertUnharmed();
    }
  }

  @ParameterizedTest
  @CsvSource({"8, 0", "2, 0", "0, 2"})
  void unalignedRingsAreNamed(int descriptors, int used) throws IOException {
    guest.prepare(QtestGuest.FEATURES);
    QtestRing ring = guest.transmit;
    guest.device.enableQueue(RECEIVEQ, guest.receive);
    guest.device.enableQueue(
        TRANSMITQ,
        ring.size(),
        ELSEWHERE + descriptors,
        ELSEWHERE + 0x1000,
        ELSEWHERE + 0x2000 + used);
    guest.device.driverOk();
    String fault = place.awaitFault(TRANSMITQ);
    assertEquals("not aligned", fault.substring(0, 11), fault);
  }

  @Test
  void sizesThatNoRingCanHaveAreNamed() throws IOException {
    guest.prepare(QtestGuest.FEATURES);
    QtestRing ring = guest.transmit;
    guest.device.enableQueue(RECEIVEQ, guest.receive);
    guest.device.enableQueue(TRANSMITQ, 3, ring.descriptors(), ring.available(), ring.used());
    guest.device.driverOk();
    String fault = place.awaitFault(TRANSMITQ);
    assertTrue(fault.contains("size 3"), fault);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 8, 255, 257, 1000, 1024, 0x7fff, 0x8000, 0xffff})
  void ringsMayBeSaidToHaveAnySize(int size) throws IOException {
    guest.prepare(QtestGuest.FEATURES);
    guest.device.enableQueue(RECEIVEQ, guest.receive);
    QtestRing ring = guest.transmit;
    guest.device.enableQueue(TRANSMITQ, size, ring.descriptors(), ring.available(), ring.used());
    guest.device.driverOk();
    guest.device.kick(TRANSMITQ);
    place.sendToHostile();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 8, 257, 1024, 0xffff})
  void sizeChangedUnderRunningRingsChangesNothingUntilTheyStartAnew(int size) throws IOException {
    guest.start(QtestGuest.FEATURES);
    guest.device.resizeQueue(TRANSMITQ, size);
    guest.device.resizeQueue(RECEIVEQ, size);
    place.exchange();
    guest.device.driverNotOk();
    guest.device.driverOk();
    guest.device.kick(TRANSMITQ);
    place.sendToHostile();
  }

  @Test
  void ringsEnabledTwiceWorkOn() throws IOException {
    guest.start(QtestGuest.FEATURES);
    guest.device.enableQueue(TRANSMITQ, guest.transmit);
    guest.device.enableQueue(RECEIVEQ, guest.receive);
    place.exchange();
    guest.device.enableQueue(TRANSMITQ, 64, ELSEWHERE, ELSEWHERE + 0x1000, ELSEWHERE + 0x2000);
    guest.device.kick(TRANSMITQ);
    place.exchange();
  }

  @Test
  void ringsOnTopOfEachOtherHarmOnlyTheirOwner() throws IOException {
    guest.start(QtestGuest.FEATURES);
    guest.device.driverNotOk();
    guest.device.enableQueue(TRANSMITQ, guest.receive);
    guest.device.driverOk();
    guest.device.kick(TRANSMITQ);
    for (int i = 0; i < 10; i++) {
      place.sendToHostile();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {RECEIVE_RING, RECEIVE_RING + 0x1000, RECEIVE_RING + 0x1200, TRANSMIT_RING})
  void framesMayBeReceivedIntoTheRingsThemselves(long target) throws IOException {
    guest.start(QtestGuest.FEATURES);
    for (int i = 0; i < guest.receive.size(); i++) {
      guest.receive.descriptor(i, target + i, QtestGuest.BUFFER, QtestRing.WRITE, 0);
    }
    for (int i = 0; i < 20; i++) {
      place.sendToHostile();
      guest.device.kick(TRANSMITQ);
    }
  }

  @Test
  void registersMayHoldAnything() throws IOException {
    guest.device.reset();
    guest.device.negotiate(0);
    guest.device.driverOk();
    guest.device.reset();
    guest.device.negotiate(-1);
    guest.device.driverOk();
    for (int queue : new int[] {2, 3, 4, 255, 256, 0x7fff, 0xffff}) {
      guest.device.enableQueue(queue, 256, ELSEWHERE, ELSEWHERE + 0x1000, ELSEWHERE + 0x2000);
      guest.device.kick(queue);
    }
    for (int status : new int[] {0xff, 0x80, 0x40, 4, 0xf, 1, 4}) {
      guest.device.status(status);
      guest.device.kick(RECEIVEQ);
      guest.device.kick(TRANSMITQ);
    }
  }

  @Test
  void driverMayBeReadyBeforeItsRingsAre() throws IOException {
    guest.prepare(QtestGuest.FEATURES);
    guest.device.kick(TRANSMITQ);
    guest.device.driverOk();
    guest.device.kick(TRANSMITQ);
    guest.device.enableQueue(RECEIVEQ, guest.receive);
    guest.device.enableQueue(TRANSMITQ, guest.transmit);
    guest.device.kick(TRANSMITQ);
    place.sendToHostile();
  }

  @Test
  void driverMayTakeItsReadinessBack() throws IOException {
    guest.start(QtestGuest.FEATURES);
    for (int i = 0; i < 20; i++) {
      place.exchange();
      guest.device.driverNotOk();
      guest.device.driverOk();
    }
  }

  @Test
  void resetsInTheMiddleOfWorkLoseNobodyElsesFrames() throws IOException {
    for (int i = 0; i < 20; i++) {
      guest.start(QtestGuest.FEATURES);
      byte[] frame = place.toGenerator(1500);
      guest.place(frame);
      int length = QtestGuest.HEADER + frame.length;
      for (int head = 0; head < QtestGuest.TRANSMIT_SIZE; head++) {
        guest.transmit.descriptor(head, QtestGuest.TRANSMIT_BUFFER, length, 0, 0);
      }
      guest.transmit.availableIndex(QtestGuest.TRANSMIT_SIZE);
      guest.device.kick(TRANSMITQ);
      guest.device.reset();
    }
  }

  @Test
  void twoHundredResetsLeaveNothingBehind() throws IOException {
    place.heal();
    long before = descriptors();
    long started = System.nanoTime();
    for (int i = 0; i < RESETS; i++) {
      guest.start(QtestGuest.FEATURES);
      byte[] frame = place.toNeighbour(100);
      guest.send(frame);
      assertArrayEquals(frame, place.neighbour.next(), "after reset " + i);
    }
    assertEquals(before, descriptors(), "descriptors of the back-end");
    long each = (System.nanoTime() - started) / RESETS / 1000;
    System.out.println(RESETS + " resets, each with a start and a frame: " + each + " us each");
  }

  private long descriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/" + place.backend.pid() + "/fd"))) {
      return open.count();
    }
  }
}
