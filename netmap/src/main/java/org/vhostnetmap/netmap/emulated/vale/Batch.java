// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.Arrays;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.emulated.DropReason;

/// The frames that one sender's ring hands to a switch at a time. They stay where they are: here is
/// only where their pieces lie, checked once.
///
/// ```
///   pieces   | a | b  b  b | c | d |       one address and length per slot
///   first      0   1         4   5         frame -> its first piece
///   next       2   -         3   -         frames for one port, in order: a, c, d
/// ```
///
/// First every frame is given its port, then each port in turn gets all of its frames under one
/// lock, flooded ones at their place among them. One thread at a time: whoever holds the sender's
/// ring.
final class Batch {
  /** Frames, or slots, after which a batch goes: netmap's NM_BDG_BATCH. */
  static final int SIZE = 1024;

  private static final int NONE = -1;
  private static final int END = Delivery.END;
  private static final int ETHERNET_BYTES = 14;
  private static final long ADDRESS = (1L << 48) - 1;

  /** Who counts what a sender's frames are dropped for. */
  interface Drops {
    void drop(DropReason reason, long frames);
  }

  private final SwitchPort from;
  private final int ring;
  private final Drops drops;
  private final Delivery delivery;

  private final long[] addresses;
  private final int[] lengths;
  private final int[] first;
  private final int[] next;
  private final int[] head = new int[PortTable.MOST_PORTS];
  private final int[] last = new int[PortTable.MOST_PORTS];
  private final int[] touched = new int[PortTable.MOST_PORTS];

  private int pieces;
  private int frames;
  private int touchedPorts;
  private int floodHead = END;
  private int floodLast = NONE;

  /**
   * A batch of a sender.
   *
   * @param slots slots of its ring: a frame may have as many pieces
   * @param usableBytes no piece is longer than this
   */
  Batch(SwitchPort from, int ring, int slots, int usableBytes, Drops drops) {
    this.from = from;
    this.ring = ring;
    this.drops = drops;
    int room = SIZE + slots;
    addresses = new long[room];
    lengths = new int[room];
    first = new int[room + 1];
    next = new int[room];
    Arrays.fill(head, END);
    delivery = new Delivery(addresses, lengths, first, next, usableBytes, drops);
  }

  /** One more slot of the frame that is being added. */
  void addPiece(long address, int length) {
    addresses[pieces] = address;
    lengths[pieces] = length;
    pieces++;
  }

  /** The frame being added is complete. */
  void endFrame() {
    frames++;
    first[frames] = pieces;
  }

  /** The frame being added is none, for a reason. */
  void dropFrame(DropReason reason) {
    pieces = first[frames];
    drops.drop(reason, 1);
  }

  /** Whether a frame was begun and not ended. */
  boolean hasOpenFrame() {
    return pieces > first[frames];
  }

  /** Whether it is time to {@link #forward}; asked between frames. */
  boolean isFull() {
    return pieces >= SIZE;
  }

  /** Sends all frames on their way and is empty again. */
  void forward(ValeSwitch bridge) {
    PortTable ports = bridge.ports();
    int header = from.headerLength();
    assign(bridge.learned(), ports, header);
    if (floodHead != END) {
      floodAndUnicast(ports, header);
    } else {
      unicast(ports, header);
    }
    while (touchedPorts > 0) {
      head[touched[--touchedPorts]] = END;
    }
    floodHead = END;
    floodLast = NONE;
    frames = 0;
    pieces = 0;
  }

  private void assign(LearningTable learned, PortTable ports, int header) {
    long lastSource = NONE;
    for (int frame = 0; frame < frames; frame++) {
      int piece = first[frame];
      long ethernet = addresses[piece] + header;
      int bytes = lengths[piece] - header;
      if (bytes == 0 && piece + 1 < first[frame + 1]) {
        // The header has a slot of its own.
        ethernet = addresses[piece + 1];
        bytes = lengths[piece + 1];
      }
      if (bytes < ETHERNET_BYTES) {
        drops.drop(bytes < 0 ? DropReason.NO_HEADER : DropReason.TOO_SHORT, 1);
        continue;
      }
      long to = Memory.getLong(ethernet) & ADDRESS;
      long source = Memory.getLong(ethernet + 4) >>> 16;
      if (source != lastSource && (source & 1) == 0) {
        learned.learn(source, from.index);
        lastSource = source;
      }
      int port = (to & 1) == 0 ? learned.find(to) : LearningTable.UNKNOWN;
      if (port == LearningTable.UNKNOWN) {
        appendFlood(frame);
      } else if (port == from.index || ports.at(port) == null) {
        drops.drop(DropReason.NO_WAY, 1);
      } else {
        append(port, frame);
      }
    }
  }

  private void append(int port, int frame) {
    if (head[port] == END) {
      head[port] = frame;
      touched[touchedPorts++] = port;
    } else {
      next[last[port]] = frame;
    }
    last[port] = frame;
    next[frame] = END;
  }

  private void appendFlood(int frame) {
    if (floodHead == END) {
      floodHead = frame;
    } else {
      next[floodLast] = frame;
    }
    floodLast = frame;
    next[frame] = END;
  }

  private void unicast(PortTable ports, int header) {
    for (int i = 0; i < touchedPorts; i++) {
      SwitchPort port = ports.at(touched[i]);
      if (port != null) {
        deliver(port, port.outletFor(ring), head[touched[i]], END, header);
      }
    }
  }

  /** Flooded frames go to every other port's ring 0, where its own frames may go as well. */
  private void floodAndUnicast(PortTable ports, int header) {
    for (SwitchPort port : ports.active) {
      if (port.index == from.index) {
        continue;
      }
      int own = head[port.index];
      int direct = port.outletFor(ring);
      if (own == END || direct == 0) {
        deliver(port, 0, own, floodHead, header);
      } else {
        deliver(port, direct, own, END, header);
        deliver(port, 0, END, floodHead, header);
      }
    }
  }

  private void deliver(SwitchPort port, int to, int a, int b, int header) {
    Outlet outlet = port.outlet(to);
    if (delivery.deliver(outlet, a, b, header, pieces)) {
      outlet.announce();
    }
  }
}
