// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.netmap.NetmapAbi;

/**
 * The kernel's view of one ring: what the user last showed (rhead, rcur), how far the device is
 * (hwcur, hwtail), and who uses it. All fields but the control plane's (mode, users, exclusive) are
 * guarded by this object's monitor, which every sync holds.
 */
public final class Kring {
  /** What one sync does with one ring. The caller holds the kring's monitor. */
  @FunctionalInterface
  public interface Sync {
    /** Moves frames between {@code kring} and wherever they go or come from. */
    void sync(Kring kring);
  }

  /** Whether this ring's adapter is in netmap mode. */
  public enum Mode {
    /** The ring belongs to the host. */
    OFF,
    /** The ring belongs to netmap users. */
    ON
  }

  /** Whose ring this is. */
  public final Adapter adapter;

  /** Its number; host rings continue after the NIC's. */
  public final int id;

  /** Whether frames leave the user through it. */
  public final boolean tx;

  /** Whether its other side is the host's stack. */
  public final boolean host;

  /** Slots in the ring. */
  public final int slots;

  /** Host address of the netmap_ring, 0 while it has none. */
  public long ring;

  /** The user's head, checked, as of the sync under way. */
  public int rhead;

  /** The user's cur, checked, as of the sync under way. */
  public int rcur;

  /** First slot that the device has not seen yet (TX) or that was not given back yet (RX). */
  public int hwcur;

  /** What goes to the user as tail at the end of a sync. */
  public int hwtail;

  /** What a sync does: the adapter's own, or a monitor's around it. */
  public Sync sync;

  /** Current mode; control plane. */
  public Mode mode = Mode.OFF;

  /** The mode it is switching to; control plane. */
  public Mode pendingMode = Mode.OFF;

  /** Opens that bind it; control plane. */
  public int users;

  /** Whether its one user wants no other; control plane. */
  public boolean exclusive;

  /** A ring without memory yet. */
  public Kring(Adapter adapter, int id, boolean tx, boolean host, int slots, Sync sync) {
    this.adapter = adapter;
    this.id = id;
    this.tx = tx;
    this.host = host;
    this.slots = slots;
    this.sync = sync;
  }

  /** Host address of a slot. */
  public long slot(int index) {
    return ring + NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * index;
  }

  /** The slot after {@code index}. */
  public int next(int index) {
    int next = index + 1;
    return next == slots ? 0 : next;
  }

  /** Slots from {@code from} to {@code to}, going up. */
  public int distance(int from, int to) {
    int distance = to - from;
    return distance < 0 ? distance + slots : distance;
  }
}
