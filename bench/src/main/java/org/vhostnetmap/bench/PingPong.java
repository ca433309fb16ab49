// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import org.HdrHistogram.Histogram;
import org.vhostnetmap.linux.Memory;

/**
 * Two guests at both ends of a back-end. A sends marked frames, B sends each back at once, and A
 * looks at the clock.
 *
 * <p>At a given rate this is an open loop: frames are due at times fixed beforehand, each carries
 * the time when it was <i>due</i>, and what counts is the time from then on. So a back-end that
 * stops for a while pays for every frame that was due meanwhile, although the sender could not send
 * it (coordinated omission). As fast as it goes is a closed loop: the next frame is sent when the
 * last has come back.
 *
 * <p>All times are of an {@link AttentiveClock}: while something else has this program's processor
 * nobody sends and nobody receives, and that says nothing about a back-end. {@link Window#away}
 * tells how long it was.
 */
final class PingPong implements RawSide.Guests {
  /** As fast as it goes. */
  static final double CLOSED = Double.POSITIVE_INFINITY;

  static final int FRAME = 60;

  private static final int MARK = RawGuest.HEADER + 16;
  private static final long LONGEST_NANOS = 10_000_000_000L;
  private static final long GRACE_NANOS = 20_000_000;
  private static final int BURST = 32;

  /** Far longer than any step between two looks at the clock. */
  private static final long LONGEST_STEP_NANOS = 50_000;

  private final AttentiveClock clock = new AttentiveClock(System::nanoTime, LONGEST_STEP_NANOS);
  private final RawGuest a;
  private final RawGuest b;
  private final boolean returns;
  private final boolean asleep;
  private long start;
  private long sent;
  private long arrived;
  private Histogram histogram = histogram();

  /**
   * @param returns whether B sends frames back; else the time of one way is taken
   * @param asleep whether the guests want to be called for each frame, as one does that sleeps
   */
  PingPong(RawBackend backend, boolean returns, boolean asleep) throws IOException {
    this.returns = returns;
    this.asleep = asleep;
    a = RawGuest.connect(backend.socket(0), 1);
    try {
      b = RawGuest.connect(backend.socket(1), 2);
    } catch (IOException e) {
      a.close();
      throw e;
    }
    a.address(b.mac(), FRAME);
    b.address(a.mac(), FRAME);
  }

  static Histogram histogram() {
    return new Histogram(LONGEST_NANOS, 3);
  }

  /**
   * What came in one window.
   *
   * @param away nanoseconds in which this program did not run; the window was longer by these
   */
  record Window(Histogram latencies, long sent, long lost, long away) {}

  /** Plays for a while; {@code perSecond} frames a second, or {@link #CLOSED}. */
  Window play(double perSecond, long nanos) {
    sent = 0;
    arrived = 0;
    histogram = histogram();
    start = clock.lookAfterWork();
    long away = clock.away();
    long end = start + nanos;
    if (perSecond == CLOSED) {
      closed(end);
    } else {
      open(new Pace(perSecond, start), end);
    }
    long graceEnd = clock.lookAfterWork() + GRACE_NANOS;
    while (arrived < sent && clock.look() < graceEnd) {
      carry();
    }
    long lost = sent - arrived;
    if (lost > 0) {
      // We don't know which ones: each was late by the whole window.
      histogram.recordValueWithCount(clock.look() - start, lost);
    }
    return new Window(histogram, sent, lost, clock.away() - away);
  }

  private void open(Pace pace, long end) {
    for (long now = clock.look(); now < end; now = clock.look()) {
      RawRing ring = a.transmit();
      ring.reclaim(ring.used());
      int count = 0;
      while (pace.due() <= now && count < BURST && ring.room() > count) {
        Memory.putLong(ring.buffer(ring.next() + count) + MARK, pace.due());
        pace.next();
        count++;
      }
      if (count > 0) {
        ring.push(count);
        ring.flush();
        sent += count;
      }
      carry();
    }
    // Whoever had no room for them until now does not get away with it.
    long now = clock.look();
    for (; pace.due() < end; pace.next()) {
      histogram.recordValue(now - pace.due());
    }
  }

  private void closed(long end) {
    for (long now = clock.look(); now < end; now = clock.look()) {
      RawRing ring = a.transmit();
      ring.reclaim(ring.used());
      if (arrived == sent && ring.room() > 0) {
        Memory.putLong(ring.buffer(ring.next()) + MARK, now);
        ring.push(1);
        ring.flush();
        sent++;
      }
      carry();
    }
  }

  /** One round of what the guests do with what they receive. */
  private void carry() {
    if (returns) {
      bounce();
      arrive(a.receive());
    } else {
      arrive(b.receive());
    }
  }

  private void bounce() {
    RawRing from = b.receive();
    RawRing to = b.transmit();
    to.reclaim(to.used());
    int count = Math.min(BURST, Math.min(from.used(), to.room()));
    if (count == 0) {
      return;
    }
    for (int i = 0; i < count; i++) {
      long mark = Memory.getLong(from.buffer(from.firstUsed() + i) + MARK);
      Memory.putLong(to.buffer(to.next() + i) + MARK, mark);
    }
    to.push(count);
    to.flush();
    giveBack(from, count);
  }

  private void arrive(RawRing ring) {
    int count = Math.min(BURST, ring.used());
    if (count == 0) {
      return;
    }
    long now = clock.look();
    for (int i = 0; i < count; i++) {
      long due = Memory.getLong(ring.buffer(ring.firstUsed() + i) + MARK);
      if (due >= start) { // else it comes from the last window, where it counts as lost
        histogram.recordValue(Math.clamp(now - due, 0, LONGEST_NANOS));
        arrived++;
      }
    }
    giveBack(ring, count);
  }

  private void giveBack(RawRing ring, int count) {
    ring.reclaim(count);
    ring.push(count);
    ring.flush();
    if (asleep) {
      ring.callMe(true);
    }
  }

  @Override
  public void close() {
    a.close();
    b.close();
  }
}
