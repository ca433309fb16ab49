// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Path;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.UnixConnection;

/** A guest with one queue pair and nobody in it but whoever measures. One thread. */
final class RawGuest implements AutoCloseable {
  /** Bytes of the virtio-net header: VIRTIO_F_VERSION_1 is negotiated. */
  static final int HEADER = 12;

  private static final int ENTRIES = 256;
  private static final long VERSION_1 = 1L << 32;
  private static final long PROTOCOL_FEATURES = 1L << 30;
  private static final long EVENT_IDX = 1L << 29;
  private static final long MRG_RXBUF = 1L << 15;
  private static final int MACS = 12;

  /** Locally administered, so that nobody has it. */
  private static final long MAC = 0x02L;

  private final FakeFrontend frontend;
  private final long mac;
  private final RawRing receive;
  private final RawRing transmit;

  private RawGuest(FakeFrontend frontend, int number) {
    this.frontend = frontend;
    mac = mac(number);
    boolean eventIndex = (frontend.features() & EVENT_IDX) != 0;
    receive = new RawRing(frontend.driver(0), 0, eventIndex, () -> frontend.kick(0));
    transmit = new RawRing(frontend.driver(1), 1, eventIndex, () -> frontend.kick(1));
  }

  /** Connects to a back-end that listens, and starts a device on it as QEMU does. */
  static RawGuest connect(Path socket, int number) throws IOException {
    FakeFrontend frontend = new FakeFrontend(UnixConnection.connect(socket), 2, ENTRIES);
    try {
      frontend.wanting(VERSION_1 | PROTOCOL_FEATURES | EVENT_IDX | MRG_RXBUF);
      frontend.bringUp(1);
      RawGuest guest = new RawGuest(frontend, number);
      guest.receive.push(ENTRIES);
      guest.receive.flush();
      return guest;
    } catch (IOException e) {
      frontend.close();
      throw e;
    }
  }

  /** The address of the guest of this number: six bytes in memory order, the first one lowest. */
  static long mac(int number) {
    return MAC | (long) (number >>> 8 & 0xff) << 32 | (long) (number & 0xff) << 40;
  }

  long mac() {
    return mac;
  }

  RawRing receive() {
    return receive;
  }

  RawRing transmit() {
    return transmit;
  }

  /** All frames from now on are of this length, without FCS, and go to {@code destination}. */
  void address(long destination, int length) {
    transmit.lengths(HEADER + length);
    for (int i = 0; i < transmit.size(); i++) {
      long frame = transmit.buffer(i);
      Memory.fill(frame, HEADER + length, 0);
      Memory.putLong(frame + HEADER, destination | mac << 48);
      Memory.putInt(frame + HEADER + 8, (int) (mac >>> 16));
      // A local experimental ethertype (IEEE 802): nobody takes it for anything.
      Memory.putShort(frame + HEADER + MACS, 0xb588);
    }
  }

  @Override
  public void close() {
    frontend.close();
  }
}
