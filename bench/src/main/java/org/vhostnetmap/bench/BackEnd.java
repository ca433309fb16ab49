// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.util.OptionalDouble;

/** A back-end under test: one process on processor 0. */
interface BackEnd extends AutoCloseable {
  /** Its process. */
  Child child();

  /** Fails when something else was negotiated than asked for. */
  void requireNegotiated(VirtioOptions options) throws IOException;

  /** Makes or takes frames from now on, if it has to be told. */
  default void traffic(VhostRow.Kind kind, int bytes) throws IOException {}

  /**
   * What it counted since it began, once there is no traffic; fails where frames were lost, or
   * arrived broken. A generator that nobody takes frames from, before and after, loses nothing that
   * matters.
   */
  Arrived arrived(VhostRow.Kind kind) throws IOException;

  /**
   * Frames that it moved.
   *
   * @param fromGuests that it received from its guests
   * @param toGuests that it put into their rings
   */
  record Arrived(long fromGuests, long toGuests) {}

  /** Begins to note what it does itself. */
  void startOwn() throws IOException;

  /** What it did since {@link #startOwn}. */
  Own endOwn() throws IOException;

  /**
   * What a frame costs the back-end itself.
   *
   * @param nanos per frame, without polls that found nothing to do
   * @param busy share of the time in which it had something to do
   * @param burst frames that it found when it found any
   */
  record Own(OptionalDouble nanos, OptionalDouble busy, OptionalDouble burst) {
    static final Own UNKNOWN = of(OptionalDouble.empty());

    /** Where only the first is known. */
    static Own of(OptionalDouble nanos) {
      return new Own(nanos, OptionalDouble.empty(), OptionalDouble.empty());
    }

    String cell() {
      if (nanos.isEmpty()) {
        return "-";
      }
      String cell = "%.1f".formatted(nanos.getAsDouble());
      return busy.isEmpty()
          ? cell
          : cell + " (%.0f %%, %.0f)".formatted(busy.getAsDouble() * 100, burst.orElse(0));
    }
  }

  @Override
  void close();
}
