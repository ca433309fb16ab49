// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.nio.file.Path;
import java.util.StringJoiner;
import org.vhostnetmap.netmap.PortName;

/**
 * One PORT of the command line, as written there and checked for what can be checked without the
 * machine.
 *
 * <p>To add a kind of port: a record here, a case in {@link PortSpecParser}, a case in {@code
 * Wiring}, a line in {@link HelpText}.
 */
sealed interface PortSpec {
  /** The most queue pairs that a vhost-user port may offer. */
  int MAX_QUEUE_PAIRS = 8;

  /** The port without its {@link #tuned}. */
  default PortSpec plain() {
    return this instanceof Tuned tuned ? tuned.port() : this;
  }

  /** What it is told besides what it is. */
  default Tuning tuned() {
    return this instanceof Tuned tuned ? tuned.tuning() : Tuning.NONE;
  }

  /** The setting of a VALE port with virtio-net headers. */
  String HEADERS = "vnet-hdr";

  /** Reads one PORT. */
  static PortSpec parse(String text) throws PortSyntaxException {
    return new PortSpecParser(text).parse();
  }

  /** The port as a user would write it, defaults left out; names it in logs and in the status. */
  String text();

  /** What of checksums and segmentation is offered to a guest, both ways. */
  enum Offloads {
    /** Checksums, and the segmentation of TCP and UDP. */
    ALL(""),
    /** {@code gro=on}: and TCP segments that come together go to the guest as one packet. */
    ALL_AND_GRO(",gro=on"),
    /** {@code tso=off}: checksums alone. */
    CHECKSUMS(",tso=off"),
    /** {@code offloads=off}. */
    NONE(",offloads=off");

    private final String text;

    Offloads(String text) {
      this.text = text;
    }
  }

  /**
   * {@code vhost:PATH[,connect][,queues=N][,announce][,mtu][,gro=on][,tso=off][,offloads=off]}: a
   * guest behind a vhost-user socket.
   *
   * @param connect we connect to a front-end that listens (QEMU: {@code server=on}), instead of
   *     listening ourselves
   * @param announce offer VIRTIO_NET_F_GUEST_ANNOUNCE
   * @param mtu offer VIRTIO_NET_F_MTU; not to a front-end without a configuration space
   */
  record Vhost(
      Path path, boolean connect, int queuePairs, boolean announce, boolean mtu, Offloads offloads)
      implements PortSpec {
    @Override
    public String text() {
      return "vhost:"
          + path.toString().replace(",", ",,")
          + (connect ? ",connect" : "")
          + (queuePairs == 1 ? "" : ",queues=" + queuePairs)
          + (announce ? ",announce" : "")
          + (mtu ? ",mtu" : "")
          + offloads.text;
    }
  }

  /**
   * {@code --fd=N}: a guest behind a socket that our parent opened, listening or connected already.
   */
  record Adopted(int fd) implements PortSpec {
    @Override
    public String text() {
      return "fd:" + fd;
    }
  }

  /** {@code tap:NAME}: the host's network stack, through a TAP device. */
  record Tap(String name) implements PortSpec {
    @Override
    public String text() {
      return "tap:" + name;
    }
  }

  /**
   * {@code netmap:...}, {@code vale...:...}: netmap's own name for a port, unchanged.
   *
   * @param name as netmap reads it
   * @param headers {@code ,vnet-hdr} behind it: a VALE port whose frames go with virtio-net headers
   */
  record Netmap(PortName name, boolean headers) implements PortSpec {
    @Override
    public String text() {
      return name.text() + (headers ? "," + HEADERS : "");
    }
  }

  /**
   * Any of the others with limits and the like behind it: {@code vhost:PATH,rate=100M}.
   *
   * @param port what it is
   * @param tuning what it is told besides
   */
  record Tuned(PortSpec port, Tuning tuning) implements PortSpec {
    @Override
    public String text() {
      return port.text() + tuning.text();
    }
  }

  /** {@code null:}: copies each frame into a ring of slots, then forgets it. */
  record Null() implements PortSpec {
    @Override
    public String text() {
      return "null:";
    }
  }

  /**
   * {@code pktgen:[len=N][,rate=N][,flows=N]}: a source of frames.
   *
   * @param length bytes of a frame, without the frame check sequence
   * @param rate frames per second, 0 = as fast as they are taken
   * @param flows how many flows they are of
   */
  record Pktgen(int length, long rate, int flows) implements PortSpec {
    static final int DEFAULT_LENGTH = 64;
    static final int MIN_LENGTH = 60;
    static final int MAX_LENGTH = 2048;

    @Override
    public String text() {
      var settings = new StringJoiner(",", "pktgen:", "");
      if (length != DEFAULT_LENGTH) {
        settings.add("len=" + length);
      }
      if (rate != 0) {
        settings.add("rate=" + rate);
      }
      if (flows != 1) {
        settings.add("flows=" + flows);
      }
      return settings.toString();
    }
  }
}
