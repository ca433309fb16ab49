// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A place where frames enter and leave the bridge. Adding a kind of port means implementing this
 * and its {@link Source}s and {@link Sink}; all methods are called on the control thread.
 */
public abstract class Port implements AutoCloseable {
  private final String name;
  private @Nullable RateLimit limit; // of what it sends
  private @Nullable Sink entrance;

  /** A port with the name the user gave it. */
  protected Port(String name) {
    this.name = name;
  }

  /** The name the user gave it. */
  public final String name() {
    return name;
  }

  /**
   * Limits the port; before the bridge starts.
   *
   * @param sends of what it sends, all its sources together
   * @param receives of what is sent to it
   */
  public final Port limit(RateSetting sends, RateSetting receives) {
    long now = System.nanoTime();
    limit = sends.isNone() ? null : new RateLimit(sends, now);
    entrance = receives.isNone() ? null : new LimitedSink(sink(), new RateLimit(receives, now));
    return this;
  }

  /** What judges the frames of one of its sources, or null when they are not limited. */
  final @Nullable Policer policer() {
    RateLimit known = limit;
    return known == null ? null : new Policer(known);
  }

  /** {@link #sink} behind the port's limit; the same object for the port's life. */
  final Sink entrance() {
    Sink known = entrance;
    return known == null ? sink() : known;
  }

  /** The sources that may be read now; changes are told by {@link Bridge#portsChanged}. */
  abstract List<Source> sources();

  /** How many sources worth a thread of their own there may be at most. */
  abstract int busySources();

  /** Where frames for this port go; the same object for the port's life. */
  abstract Sink sink();

  /** State and counters; the workers are at rest. */
  abstract PortStatus status(int macAddresses);

  /** From any thread: whether memory this port borrowed from somebody else has vanished. */
  boolean memoryVanished() {
    return false;
  }

  /**
   * From a worker thread: lets go of whoever lent the port its memory. Repeated calls do nothing
   * more. False when there is nobody to let go of.
   */
  boolean abandonMemory() {
    return false;
  }

  /** Releases everything the port owns; the workers no longer know it. */
  @Override
  public abstract void close();
}
