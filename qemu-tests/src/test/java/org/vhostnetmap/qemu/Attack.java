// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.vhostnetmap.qemu.QtestGuest.INDIRECT_TABLE;
import static org.vhostnetmap.qemu.QtestGuest.TRANSMIT_BUFFER;
import static org.vhostnetmap.qemu.QtestGuest.TRANSMIT_SIZE;
import static org.vhostnetmap.qemu.QtestMachine.LOW_RAM_END;
import static org.vhostnetmap.qemu.QtestMachine.RAM_END;
import static org.vhostnetmap.qemu.QtestRing.INDIRECT;
import static org.vhostnetmap.qemu.QtestRing.NEXT;
import static org.vhostnetmap.qemu.QtestRing.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.stream.Stream;

/**
 * One way to break the rules of a ring, and the words the status must find for it.
 *
 * @param name for people
 * @param features what the driver negotiates
 * @param ring the ring that has to stop
 * @param reason part of the fault in the status
 * @param deed what the driver does, once its device runs well
 */
record Attack(String name, long features, int ring, String reason, Deed deed) {
  private static final String OUTSIDE = "buffer outside guest memory";
  private static final String LOOP = "descriptor loop";
  private static final String TABLE = "malformed indirect table";
  private static final String LARGE = "chain too large";
  private static final String NEXT_RANGE = "next out of range";
  private static final String HEAD_RANGE = "head out of range";
  private static final String INDEX = "available index out of range";
  private static final String WRONG = "descriptor of the wrong direction";
  private static final int FRAME = 72;

  /** What a driver does. */
  interface Deed {
    void of(QtestGuest guest) throws IOException;
  }

  @Override
  public String toString() {
    return name;
  }

  private static Attack transmit(String name, String reason, Deed deed) {
    long features = QtestGuest.FEATURES | QtestVirtioNet.INDIRECT_DESC;
    return new Attack(name, features, QtestVirtioNet.TRANSMITQ, reason, deed);
  }

  /** A first descriptor as given, kicked. */
  private static Attack descriptor(
      String name, String reason, long address, int length, int flags, int next) {
    return transmit(
        name,
        reason,
        guest -> {
          guest.transmit.descriptor(0, address, length, flags, next);
          guest.sendHead(0);
        });
  }

  private static Attack buffer(String name, String reason, long address, int length) {
    return descriptor(name, reason, address, length, 0, 0);
  }

  private static Attack table(String name, String reason, long address, int length) {
    return descriptor(name, reason, address, length, INDIRECT, 0);
  }

  /** A table of one descriptor. */
  private static Attack tableOf(String name, String reason, byte[] descriptor) {
    return transmit(
        name,
        reason,
        guest -> {
          guest.qtest.write(INDIRECT_TABLE, descriptor);
          guest.transmit.descriptor(0, INDIRECT_TABLE, descriptor.length, INDIRECT, 0);
          guest.sendHead(0);
        });
  }

  /** A chain of {@code length} descriptors that goes on at the first again. */
  private static Attack cycle(int length) {
    return transmit(
        "chain that loops through " + length + " descriptors",
        LOOP,
        guest -> {
          ByteBuffer table = ByteBuffer.allocate(16 * length);
          for (int i = 0; i < length; i++) {
            table.put(QtestRing.descriptor(TRANSMIT_BUFFER, 1, NEXT, (i + 1) % length));
          }
          guest.qtest.write(guest.transmit.descriptors(), table.array());
          guest.sendHead(0);
        });
  }

  private static Attack availableIndex(String name, int index) {
    return transmit(
        name,
        INDEX,
        guest -> {
          guest.transmit.availableIndex(index);
          guest.device.kick(QtestVirtioNet.TRANSMITQ);
        });
  }

  static Stream<Attack> onTheTransmitRing() {
    return Stream.of(
            addresses(),
            lengths(),
            loops(),
            tables(),
            Stream.of(
                availableIndex("available index one further than the ring is long", 257),
                availableIndex("available index half way round", 0x8000),
                availableIndex("available index that goes back", 0xffff),
                descriptor("writable buffer", WRONG, TRANSMIT_BUFFER, FRAME, WRITE, 0),
                transmit("head is the ring's size", HEAD_RANGE, g -> g.sendHead(TRANSMIT_SIZE)),
                transmit("head 0xffff", HEAD_RANGE, g -> g.sendHead(0xffff))))
        .flatMap(attacks -> attacks);
  }

  private static Stream<Attack> addresses() {
    return Stream.of(
        buffer("buffer behind the end of RAM", OUTSIDE, RAM_END, FRAME),
        buffer("buffer across the end of RAM", OUTSIDE, RAM_END - FRAME + 1, FRAME),
        buffer("buffer in the hole between two pieces of RAM", OUTSIDE, LOW_RAM_END + 64, FRAME),
        buffer("buffer that ends in the hole", OUTSIDE, LOW_RAM_END - 8, FRAME),
        buffer("buffer in the device's own registers", OUTSIDE, 0xe000_0000L, FRAME),
        buffer("buffer at the highest address", OUTSIDE, -1, FRAME),
        buffer("buffer that wraps to address 0", OUTSIDE, -12, FRAME),
        buffer("buffer at a negative address", OUTSIDE, Long.MIN_VALUE, FRAME));
  }

  private static Stream<Attack> lengths() {
    return Stream.of(
        buffer("buffer of 2^32 - 1 bytes", LARGE, TRANSMIT_BUFFER, -1),
        buffer("buffer of 2^31 bytes", LARGE, TRANSMIT_BUFFER, Integer.MIN_VALUE),
        buffer("buffer of 1 GiB", OUTSIDE, TRANSMIT_BUFFER, 1 << 30),
        buffer("buffer as long as all RAM", OUTSIDE, TRANSMIT_BUFFER, (int) RAM_END));
  }

  private static Stream<Attack> loops() {
    return Stream.of(
        cycle(1),
        cycle(2),
        cycle(TRANSMIT_SIZE),
        descriptor("next is the ring's size", NEXT_RANGE, TRANSMIT_BUFFER, 12, NEXT, TRANSMIT_SIZE),
        descriptor("next 0xffff", NEXT_RANGE, TRANSMIT_BUFFER, 12, NEXT, 0xffff));
  }

  private static Stream<Attack> tables() {
    return Stream.of(
        table("indirect table of 0 bytes", TABLE, INDIRECT_TABLE, 0),
        table("indirect table of 15 bytes", TABLE, INDIRECT_TABLE, 15),
        table("indirect table of 17 bytes", TABLE, INDIRECT_TABLE, 17),
        table("indirect table of 65,535 descriptors", TABLE, INDIRECT_TABLE, 65535 * 16),
        table("indirect table of 2^32 - 16 bytes", TABLE, INDIRECT_TABLE, -16),
        table("indirect table behind the end of RAM", OUTSIDE, RAM_END, 32),
        table("indirect table at a negative address", OUTSIDE, Long.MIN_VALUE, 32),
        table("indirect table that wraps", OUTSIDE, -16, 32),
        table("indirect table of 32,768 empty buffers", LARGE, 0x80_0000, 32768 * 16)
            .after(Attack::emptyBuffers),
        descriptor("indirect table with NEXT", TABLE, INDIRECT_TABLE, 16, INDIRECT | NEXT, 1),
        tableOf(
            "indirect table in an indirect table",
            TABLE,
            QtestRing.descriptor(INDIRECT_TABLE, 16, INDIRECT, 0)),
        tableOf(
            "indirect table that loops", LOOP, QtestRing.descriptor(TRANSMIT_BUFFER, 16, NEXT, 0)),
        tableOf(
            "next behind the indirect table",
            NEXT_RANGE,
            QtestRing.descriptor(TRANSMIT_BUFFER, 16, NEXT, 1)),
        tableOf(
            "indirect buffer behind the end of RAM",
            OUTSIDE,
            QtestRing.descriptor(RAM_END - 1, 16, 0, 0)),
        table("indirect table that was not negotiated", TABLE, INDIRECT_TABLE, 16)
            .with(QtestGuest.FEATURES));
  }

  private static void emptyBuffers(QtestGuest guest) throws IOException {
    ByteBuffer table = ByteBuffer.allocate(32768 * 16);
    for (int i = 0; i < 32767; i++) {
      table.put(QtestRing.descriptor(0, 0, NEXT, i + 1));
    }
    guest.qtest.write(0x80_0000, table.array());
  }

  private Attack after(Deed before) {
    return new Attack(
        name,
        features,
        ring,
        reason,
        guest -> {
          before.of(guest);
          deed.of(guest);
        });
  }

  private Attack with(long negotiated) {
    return new Attack(name, negotiated, ring, reason, deed);
  }

  /** The first receive buffer as given; the next frame for the guest finds it. */
  private static Attack receive(String name, String reason, long address, int length, int flags) {
    return new Attack(
        name,
        QtestGuest.FEATURES,
        QtestVirtioNet.RECEIVEQ,
        reason,
        guest -> guest.receive.descriptor(0, address, length, flags, 0));
  }

  static Stream<Attack> onTheReceiveRing() {
    return Stream.of(
        receive("receive buffer behind the end of RAM", OUTSIDE, RAM_END, 2048, WRITE),
        receive("receive buffer across the end of RAM", OUTSIDE, RAM_END - 1, 2048, WRITE),
        receive("receive buffer in the hole", OUTSIDE, LOW_RAM_END, 2048, WRITE),
        receive("receive buffer at a negative address", OUTSIDE, Long.MIN_VALUE, 2048, WRITE),
        receive("receive buffer of 2^32 - 1 bytes", LARGE, TRANSMIT_BUFFER, -1, WRITE),
        receive("receive buffer that may not be written", WRONG, TRANSMIT_BUFFER, 2048, 0),
        receive("receive chain that loops", LOOP, TRANSMIT_BUFFER, 1, WRITE | NEXT),
        receive("receive table not negotiated", TABLE, INDIRECT_TABLE, 16, INDIRECT));
  }
}
