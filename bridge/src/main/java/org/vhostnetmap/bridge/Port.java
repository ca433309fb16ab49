// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;

/**
 * A place where frames enter and leave the bridge. Adding a kind of port means implementing this
 * and its {@link Source}s and {@link Sink}; all methods are called on the control thread.
 */
public abstract class Port implements AutoCloseable {
  private final String name;

  /** A port with the name the user gave it. */
  protected Port(String name) {
    this.name = name;
  }

  /** The name the user gave it. */
  public final String name() {
    return name;
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
