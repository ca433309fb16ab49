// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;

/**
 * A driver without a guest: one ring each way, buffers at fixed places. It keeps the rules unless a
 * test reaches for its parts.
 */
final class QtestGuest implements AutoCloseable {
  static final long FEATURES = QtestVirtioNet.VERSION_1 | QtestVirtioNet.MRG_RXBUF;
  static final int HEADER = 12;
  static final int BUFFER = 2048;
  static final int TRANSMIT_SIZE = 256;

  // Where things are in the guest's memory.
  static final long RECEIVE_RING = 0x10_0000;
  static final long TRANSMIT_RING = 0x12_0000;
  static final long INDIRECT_TABLE = 0x14_0000;
  static final long RECEIVE_BUFFERS = 0x20_0000;
  static final long TRANSMIT_BUFFER = 0x100_0000;

  private static final Duration PATIENCE = Duration.ofSeconds(10);

  final QtestMachine machine;
  final Qtest qtest;
  final QtestVirtioNet device;
  final QtestRing receive;
  final QtestRing transmit;
  private final byte[] mac;

  /** Starts QEMU on the back-end's socket; the device is found but not started. */
  QtestGuest(Path socket, byte[] mac, int receiveSize) throws IOException {
    this.mac = mac;
    machine =
        QtestMachine.start(
            Nic.of(socket, text(mac)).with("disable-legacy=on", "rx_queue_size=" + receiveSize));
    qtest = machine.qtest();
    device = QtestVirtioNet.find(qtest);
    receive = new QtestRing(qtest, receiveSize, RECEIVE_RING);
    transmit = new QtestRing(qtest, TRANSMIT_SIZE, TRANSMIT_RING);
  }

  private static String text(byte[] mac) {
    var text = new StringBuilder();
    for (byte part : mac) {
      text.append(text.isEmpty() ? "" : ":").append("%02x".formatted(part));
    }
    return text.toString();
  }

  byte[] mac() {
    return mac.clone();
  }

  /** Reset, negotiation, both rings clean and enabled, every receive buffer posted, DRIVER_OK. */
  void start(long features) throws IOException {
    prepare(features);
    postReceiveBuffers();
    device.enableQueue(QtestVirtioNet.RECEIVEQ, receive);
    device.enableQueue(QtestVirtioNet.TRANSMITQ, transmit);
    device.driverOk();
  }

  /** All of {@link #start} that comes before the rings. */
  void prepare(long features) throws IOException {
    device.reset();
    receive.clear();
    transmit.clear();
    assertTrue(device.negotiate(features), "features refused");
  }

  private void postReceiveBuffers() throws IOException {
    int size = receive.size();
    ByteBuffer table = ByteBuffer.allocate(16 * size);
    ByteBuffer entries = ByteBuffer.allocate(2 * size).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      table.put(QtestRing.descriptor(receiveBuffer(i), BUFFER, QtestRing.WRITE, 0));
      entries.putShort((short) i);
    }
    qtest.write(receive.descriptors(), table.array());
    qtest.write(receive.available() + 4, entries.array());
    receive.availableIndex(size);
  }

  static long receiveBuffer(int head) {
    return RECEIVE_BUFFERS + (long) BUFFER * head;
  }

  /** Writes an empty virtio-net header and the frame to the transmit buffer. */
  void place(byte[] frame) throws IOException {
    byte[] buffer = new byte[HEADER + frame.length];
    System.arraycopy(frame, 0, buffer, HEADER, frame.length);
    qtest.write(TRANSMIT_BUFFER, buffer);
  }

  /** Sends a frame as a good driver does and waits until the device gave the buffer back. */
  void send(byte[] frame) throws IOException {
    place(frame);
    sendPieces(HEADER + frame.length);
  }

  /**
   * Sends what lies in the transmit buffer as a chain of pieces of these lengths, one behind the
   * other, and waits until the device gave the chain back.
   */
  void sendPieces(int... lengths) throws IOException {
    int before = transmit.usedIndex();
    long address = TRANSMIT_BUFFER;
    ByteBuffer table = ByteBuffer.allocate(16 * lengths.length);
    for (int i = 0; i < lengths.length; i++) {
      int flags = i + 1 < lengths.length ? QtestRing.NEXT : 0;
      table.put(QtestRing.descriptor(address, lengths[i], flags, i + 1));
      address += lengths[i];
    }
    qtest.write(transmit.descriptors(), table.array());
    sendHead(0);
    await("the chain is given back", () -> transmit.usedIndex() == (before + 1 & 0xffff));
  }

  /** Makes a chain available and kicks. */
  void sendHead(int head) throws IOException {
    transmit.add(head);
    device.kick(QtestVirtioNet.TRANSMITQ);
  }

  /** Waits for the receive ring's used element number {@code index}; the frame in it. */
  byte[] received(int index) throws IOException {
    await("frame " + index + " arrives", () -> receive.usedIndex() == index + 1);
    int length = receive.usedLength(index) - HEADER;
    return qtest.read(receiveBuffer(receive.usedHead(index)) + HEADER, length);
  }

  static void await(String what, Callable<Boolean> condition) {
    Awaitility.await(what)
        .atMost(PATIENCE)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(2))
        .until(condition);
  }

  @Override
  public void close() {
    machine.close();
  }
}
