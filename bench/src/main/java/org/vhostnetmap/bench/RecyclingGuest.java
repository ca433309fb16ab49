// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.function.BooleanSupplier;
import org.vhostnetmap.bridge.Bridge;
import org.vhostnetmap.bridge.GuestPort;
import org.vhostnetmap.bridge.Port;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.vhost.Offer;
import org.vhostnetmap.vhost.VhostUserBackend;

/** A guest of this process that sends or receives for ever, with one ring of either format. */
final class RecyclingGuest implements AutoCloseable {
  static final long MERGEABLE = 1L << 15;
  static final long PACKED = 1L << 34;

  /** CSUM and HOST_TSO4. */
  static final long SEGMENTS = 1L | 1L << 11;

  /** GUEST_CSUM and GUEST_TSO4, with buffers that may be put together: GRO is on. */
  static final long GROUPS = 1L << 1 | 1L << 7 | MERGEABLE;

  private static final long BASIC = 1L << 32 | 1L << 30 | 1L << 29;
  private static final int RING = 256;
  private static final int RECEIVE_BYTES = 1536;
  private static final int HEADER = 12;
  private static final int SHORT_FRAME = 64;
  private static final int SEGMENT = 900;
  private static final int HEADERS = 14 + 20 + 20; // Ethernet, IPv4, TCP
  private static final int LONG_FRAME = HEADERS + 2 * SEGMENT;

  private final UnixConnection[] ends = UnixConnection.pair();
  private final FakeFrontend frontend = new FakeFrontend(ends[0], 2, RING);
  private final long features;
  private final int ring;

  /**
   * @param features besides those that every guest takes
   * @param receives whether it receives; else it sends, with {@link #SEGMENTS} frames for us to cut
   */
  RecyclingGuest(long features, boolean receives) throws IOException {
    this.features = features;
    ring = receives ? 0 : 1;
    frontend.wanting(features | BASIC);
  }

  /** Its port. */
  Port port(Bridge bridge, EventLoop loop) throws IOException {
    GuestPort port = new GuestPort("guest", bridge, 1);
    port.coalescing((features & GROUPS) == GROUPS);
    Fd socket = Fd.duplicate(ends[1].fd());
    ends[1].close();
    Offer offer = Offer.net(1, false).withOffloads();
    port.attach(VhostUserBackend.adopt(loop, socket, offer, port));
    return port;
  }

  /** Makes available again at once what was used, until told to stop. */
  void run(BooleanSupplier stopped) throws IOException {
    frontend.bringUp(1);
    FakeDriver layout = frontend.driver(ring);
    Runnable kick = () -> frontend.kick(ring);
    if ((features & PACKED) != 0) {
      recycle(new RawPackedRing(layout, ring, bytes(), kick), stopped);
    } else {
      RawRing split = new RawRing(layout, ring, true, kick);
      split.lengths(bytes());
      if ((features & SEGMENTS) != 0) {
        for (int i = 0; i < RING; i++) {
          writeSegments(split.buffer(i));
        }
      }
      split.push(RING);
      split.flush();
      recycle(split, stopped);
    }
  }

  private int bytes() {
    if (ring == 0) {
      return RECEIVE_BYTES;
    }
    return HEADER + ((features & SEGMENTS) != 0 ? LONG_FRAME : SHORT_FRAME);
  }

  private static void recycle(RawRing split, BooleanSupplier stopped) {
    while (!stopped.getAsBoolean()) {
      split.recycle();
      Thread.onSpinWait();
    }
  }

  private static void recycle(RawPackedRing packed, BooleanSupplier stopped) {
    while (!stopped.getAsBoolean()) {
      packed.recycle();
      Thread.onSpinWait();
    }
  }

  /** TCP over IPv4 that is to be cut in two, its checksums left to the device. */
  private static void writeSegments(long at) {
    Memory.fill(at, HEADER + LONG_FRAME, 0);
    Memory.putByte(at, 1); // VIRTIO_NET_HDR_F_NEEDS_CSUM
    Memory.putByte(at + 1, 1); // VIRTIO_NET_HDR_GSO_TCPV4
    Memory.putShort(at + 2, HEADERS);
    Memory.putShort(at + 4, SEGMENT);
    Memory.putShort(at + 6, 34); // where the checksum begins
    Memory.putShort(at + 8, 16);
    long frame = at + HEADER;
    Memory.putByte(frame, 2);
    Memory.putByte(frame + 6, 2);
    Memory.putShort(frame + 12, 0x0008); // 0x0800 in network order
    long ip = frame + 14;
    Memory.putByte(ip, 0x45);
    Memory.putShort(ip + 2, Short.reverseBytes((short) (LONG_FRAME - 14)) & 0xffff);
    Memory.putByte(ip + 8, 64);
    Memory.putByte(ip + 9, 6);
    Memory.putByte(ip + 20 + 12, 5 << 4);
  }

  @Override
  public void close() {
    frontend.close();
  }
}
