// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.qemu.QtestGuest.TRANSMIT_BUFFER;
import static org.vhostnetmap.qemu.QtestMachine.RAM_END;
import static org.vhostnetmap.qemu.QtestVirtioNet.TRANSMITQ;

import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A driver that changes what the device is reading (hostile.md calls it T-toctou): millions of
 * writes straight into the guest's memory, between good and bad values, while frames flow.
 */
class HostileRaceIT extends HostileScenarios {
  private static final Duration TIME = Duration.ofMillis(500);
  private static final int FLIPS = 2_000;
  private static final int FRAME = 200;

  HostileRaceIT() throws IOException {}

  /** Which bytes of a descriptor change, and between what. */
  enum Field {
    ADDRESS(0, 8, TRANSMIT_BUFFER, RAM_END - 1),
    ADDRESS_SIGN(0, 8, TRANSMIT_BUFFER, Long.MIN_VALUE),
    LENGTH(8, 4, QtestGuest.HEADER + FRAME, 0xffff_ffffL),
    LENGTH_SHORT(8, 4, QtestGuest.HEADER + FRAME, 3),
    FLAGS_WRITE(12, 2, 0, QtestRing.WRITE),
    FLAGS_INDIRECT(12, 2, 0, QtestRing.INDIRECT),
    NEXT_LOOP(12, 2, 0, QtestRing.NEXT),
    NEXT_OUTSIDE(12, 4, 0, QtestRing.NEXT | 0xffff_0000L);

    private final int offset;
    private final int bytes;
    private final long good;
    private final long bad;

    Field(int offset, int bytes, long good, long bad) {
      this.offset = offset;
      this.bytes = bytes;
      this.good = good;
      this.bad = bad;
    }

    void set(MappedByteBuffer ram, int descriptor, boolean toGood) {
      long value = toGood ? good : bad;
      switch (bytes) {
        case 8 -> ram.putLong(descriptor + offset, value);
        case 4 -> ram.putInt(descriptor + offset, (int) value);
        default -> ram.putShort(descriptor + offset, (short) value);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void descriptorsMayChangeWhileTheyAreRead(Field field) throws IOException {
    MappedByteBuffer ram = guest.machine.ram();
    long end = System.nanoTime() + TIME.toNanos();
    int faults = 0;
    long flips = 0;
    long frames = -frames();
    while (System.nanoTime() < end) {
      sendEndlessly();
      boolean broken = false;
      while (!broken && System.nanoTime() < end) {
        flip(ram, field);
        flips += FLIPS;
        broken = place.ring(TRANSMITQ).has("fault");
      }
      faults += broken ? 1 : 0;
    }
    frames += frames();
    System.out.println(
        field + ": " + flips + " flips, " + frames + " frames, ring stopped " + faults + " times");
    assertTrue(frames > QtestGuest.TRANSMIT_SIZE, frames + " frames sent");
  }

  /**
   * Every descriptor names the same good frame, and every entry of the available ring is filled.
   */
  private void sendEndlessly() throws IOException {
    guest.start(QtestGuest.FEATURES | QtestVirtioNet.INDIRECT_DESC);
    guest.place(place.toGenerator(FRAME));
    for (int i = 0; i < QtestGuest.TRANSMIT_SIZE; i++) {
      guest.transmit.descriptor(i, TRANSMIT_BUFFER, QtestGuest.HEADER + FRAME, 0, i);
      guest.qtest.writew(guest.transmit.available() + 4 + 2L * i, i);
    }
  }

  /**
   * Makes each descriptor bad and good again, so that one is bad at any time and most of them pass,
   * and makes more frames available meanwhile.
   */
  private void flip(MappedByteBuffer ram, Field field) throws IOException {
    int table = (int) guest.transmit.descriptors();
    int available = (int) guest.transmit.available() + 2;
    int used = (int) guest.transmit.used() + 2;
    for (int i = 0; i < FLIPS; i++) {
      field.set(ram, table + 16 * (i % QtestGuest.TRANSMIT_SIZE), false);
      field.set(
          ram, table + 16 * ((i + QtestGuest.TRANSMIT_SIZE - 1) % QtestGuest.TRANSMIT_SIZE), true);
      int done = ram.getShort(used);
      ram.putShort(available, (short) (done + QtestGuest.TRANSMIT_SIZE / 2));
    }
    guest.device.kick(TRANSMITQ);
  }

  private long frames() throws IOException {
    return place.backend.port("hostile").at("queues").list().stream()
        .filter(queue -> queue.at("name").string().equals("tx0"))
        .mapToLong(queue -> queue.at("frames").number())
        .sum();
  }
}
