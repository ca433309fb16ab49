// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Many guests that send and receive as fast as the back-end can: whatever it has used is given back
 * to it at once, which costs the same for one frame and for a hundred. Each two neighbours send to
 * each other; a guest without one sends to nobody in particular.
 */
final class Crowd implements RawSide.Guests {
  private final List<RawGuest> guests = new ArrayList<>();
  private RawGuest[] active = {};
  private int senders;
  private long sent;
  private long received;

  Crowd(RawBackend backend, int count, int frame) throws IOException {
    try {
      for (int i = 0; i < count; i++) {
        RawGuest guest = RawGuest.connect(backend.socket(i), i);
        guest.address(RawGuest.mac(i ^ 1), frame);
        guests.add(guest);
      }
      introduce();
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  /** Lets each guest send one frame, so that a bridge learns where it is. */
  private void introduce() {
    for (RawGuest guest : guests) {
      guest.transmit().push(1);
      guest.transmit().flush();
      Contender.pause(1);
      guests.forEach(all -> all.receive().recycle());
      guest.transmit().reclaim(guest.transmit().used());
    }
  }

  /**
   * Who sends from now on: the first {@code count} guests, with the neighbour of the first to
   * receive.
   */
  void activate(int count) {
    senders = count;
    active =
        guests.subList(0, Math.min(guests.size(), Math.max(2, count))).toArray(RawGuest[]::new);
  }

  /** Plays for a while. */
  void play(long nanos) {
    sent = 0;
    received = 0;
    for (int i = 0; i < senders; i++) {
      RawRing ring = active[i].transmit();
      ring.reclaim(ring.used());
      ring.push(ring.room());
      ring.flush();
    }
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      for (int i = 0; i < active.length; i++) {
        received += active[i].receive().recycle();
        if (i < senders) {
          sent += active[i].transmit().recycle();
        }
      }
    }
    // What is still with the device comes back by and by.
    for (RawGuest guest : active) {
      guest.receive().recycle();
    }
  }

  /** Frames that the back-end took in the last play. */
  long sent() {
    return sent;
  }

  /** Frames that arrived at a guest in the last play. */
  long received() {
    return received;
  }

  @Override
  public void close() {
    guests.forEach(RawGuest::close);
  }
}
