// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.function.Executable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;

/** A device for each test, its ports closed afterwards, and how frames get into rings and out. */
public abstract class Conformance {
  private static final AtomicInteger NAMES = new AtomicInteger();

  private final List<NetmapPort> ports = new ArrayList<>();
  private NetmapDevice device;

  /** The device under test; a subclass that can't have one skips here, saying why. */
  protected abstract NetmapDevice newDevice() throws Exception;

  @BeforeEach
  final void openDevice() throws Exception {
    device = newDevice();
  }

  @AfterEach
  final void closeAll() {
    closePorts();
    if (device != null) { // else newDevice skipped the test
      device.close();
    }
  }

  /** The last one opened first. */
  final void closePorts() {
    Collections.reverse(ports);
    ports.forEach(NetmapPort::close);
    ports.clear();
  }

  final NetmapDevice device() {
    return device;
  }

  /** A name that no other test uses: the kernel has one name space for all of them. */
  static String fresh(String prefix) {
    return prefix + NAMES.incrementAndGet();
  }

  /** A port that is closed after the test. */
  final NetmapPort open(RegisterRequest request) throws NetmapException {
    NetmapPort port = device.register(request);
    ports.add(port);
    return port;
  }

  final NetmapPort open(String name) throws NetmapException {
    return open(RegisterRequest.of(name));
  }

  static void assertRefused(int errno, Executable request) {
    NetmapException e = assertThrows(NetmapException.class, request);
    assertEquals(errno, e.errno(), e::toString);
  }

  /** Puts one frame into the next slot; not synced yet. */
  static void put(NetmapRing ring, byte[] frame) {
    put(ring, frame, 0);
  }

  static void put(NetmapRing ring, byte[] frame, int flags) {
    assertTrue(ring.space() > 0, "no room in the TX ring");
    int slot = ring.head();
    Memory.copyFromArray(frame, 0, ring.buffer(slot), frame.length);
    ring.set(slot, frame.length, flags);
    ring.advanceTo(ring.after(slot, 1));
  }

  /** Sends frames in the first TX ring; whether the receiver has room is another matter. */
  static void send(NetmapPort port, byte[]... frames) {
    for (byte[] frame : frames) {
      put(port.txRings().get(0), frame);
    }
    port.txSync();
  }

  /**
   * Syncs, and takes whatever is in the first RX ring. The slots are released with the next sync.
   */
  static List<byte[]> receive(NetmapPort port) {
    port.rxSync();
    return take(port.rxRings().get(0));
  }

  static List<byte[]> take(NetmapRing ring) {
    List<byte[]> frames = new ArrayList<>();
    int left = ring.space();
    int slot = ring.head();
    for (; left > 0; left--) {
      frames.add(frame(ring, slot));
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return frames;
  }

  static byte[] frame(NetmapRing ring, int slot) {
    byte[] frame = new byte[ring.length(slot)];
    assertTrue(ring.buffer(slot) != 0, "a slot without a buffer");
    Memory.copyToArray(ring.buffer(slot), frame, 0, frame.length);
    return frame;
  }

  /** The numbers that {@link Frames#numbered} put into frames. */
  static List<Integer> numbers(List<byte[]> frames) {
    return frames.stream().map(Frames::number).toList();
  }

  /** The raw field of a ring, as the ABI lays it out. */
  static long field(NetmapRing ring, int offset) {
    return Memory.getUnsignedInt(ring.address() + offset);
  }

  static int head(NetmapRing ring) {
    return (int) field(ring, NetmapAbi.RING_HEAD);
  }

  static int tail(NetmapRing ring) {
    return (int) field(ring, NetmapAbi.RING_TAIL);
  }
}
