// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;

/**
 * A back-end with raw guests as one side of a comparison.
 *
 * @param <G> the guests
 * @param <W> what a window tells
 */
final class RawSide<G extends RawSide.Guests, W> implements Contender<W>, AutoCloseable {
  /** What else the machine has to do gets its turn between two windows, not in them. */
  private static final long GAP_MILLIS = 100;

  private final RawBackend backend;
  private final G guests;
  private final Measuring<G, W> measuring;

  /** Whoever is at the other end of the back-end. */
  interface Guests extends AutoCloseable {
    @Override
    void close();
  }

  interface Connecting<G> {
    G connect(RawBackend backend) throws IOException;
  }

  interface Measuring<G, W> {
    /** One window. */
    W measure(RawBackend backend, G guests, long nanos) throws IOException;
  }

  /** Takes {@code backend} over, and stops it once the guests are connected. */
  RawSide(RawBackend backend, Connecting<G> connecting, Measuring<G, W> measuring)
      throws IOException {
    this.backend = backend;
    this.measuring = measuring;
    try {
      guests = connecting.connect(backend);
      stop();
    } catch (IOException e) {
      backend.close();
      throw e;
    }
  }

  G guests() {
    return guests;
  }

  @Override
  public void go() throws IOException {
    Contender.pause(GAP_MILLIS);
    backend.go();
  }

  @Override
  public void stop() throws IOException {
    backend.stop();
  }

  @Override
  public W measure(long millis) throws IOException {
    return measuring.measure(backend, guests, millis * 1_000_000);
  }

  @Override
  public void close() {
    guests.close();
    backend.close();
  }
}
