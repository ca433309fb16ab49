// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;

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

  private static final Alarm[] NOBODY = new Alarm[0];
  private static final Kring[] NO_KRINGS = new Kring[0];

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

  /** The tail that the user was shown last. */
  public int rtail;

  /** First slot that the device has not seen yet (TX) or that was not given back yet (RX). */
  public int hwcur;

  /** What goes to the user as tail at the end of a sync. */
  public int hwtail;

  /** What a sync does: the adapter's own, or a monitor's around it. */
  public Sync sync;

  /** Current mode; written under the device's lock and this monitor. */
  public Mode mode = Mode.OFF;

  /** The mode it is switching to; control plane. */
  public Mode pendingMode = Mode.OFF;

  /** Opens that bind it; control plane. */
  public int users;

  /** Whether its one user wants no other; control plane. */
  public boolean exclusive;

  /** Whether its ring must outlive its users (NKR_NEEDRING): a pipe's other end uses it. */
  public boolean needsRing;

  /** It is being switched off: syncs do nothing. */
  boolean stopped;

  private final long[] dropped = new long[DropReason.values().length];
  private long reinits;
  private volatile Alarm[] alarms = NOBODY;
  private volatile Kring[] watchers = NO_KRINGS;

  private long data0;
  private int stride;
  private int buffers;
  private int usable;

  /** A ring without memory yet. */
  public Kring(Adapter adapter, int id, boolean tx, boolean host, int slots, Sync sync) {
    this.adapter = adapter;
    this.id = id;
    this.tx = tx;
    this.host = host;
    this.slots = slots;
    this.sync = sync;
  }

  /** Writes the ring's header: nobody has sent or received anything. */
  void layOut(long at, Pool pool) {
    ring = at;
    data0 = pool.data(0);
    stride = pool.geometry().bufferBytes();
    buffers = pool.geometry().buffers();
    usable = Math.min(pool.usableBytes(), 65_535);
    hwcur = 0;
    hwtail = tx ? slots - 1 : 0;
    Memory.putLong(at + NetmapAbi.RING_BUF_OFS, data0 - at);
    Memory.putInt(at + NetmapAbi.RING_NUM_SLOTS, slots);
    Memory.putInt(at + NetmapAbi.RING_BUF_SIZE, stride);
    Memory.putShort(at + NetmapAbi.RING_RINGID, id);
    Memory.putShort(at + NetmapAbi.RING_DIR, tx ? 1 : 0);
    putUser(hwcur);
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

  /** What a slot's buf_idx says; not checked. */
  public long bufferIndex(int slot) {
    return Memory.getLong(slot(slot)) & 0xffffffffL;
  }

  /** Host address of the data of a slot's buffer, or 0 when its buf_idx names none. */
  public long data(int slot) {
    long index = bufferIndex(slot);
    return index >= NetmapAbi.FIRST_BUFFER && index < buffers ? data0 + index * stride : 0;
  }

  /** What a slot's len says; not checked: compare with {@link #usableBytes}. */
  public int length(int slot) {
    return Memory.getUnsignedShort(slot(slot) + NetmapAbi.SLOT_LEN);
  }

  /** Flags of a slot. */
  public int flags(int slot) {
    return Memory.getUnsignedShort(slot(slot) + NetmapAbi.SLOT_FLAGS);
  }

  /** Sets length and flags of a slot. */
  public void setSlot(int slot, int length, int flags) {
    Memory.putInt(slot(slot) + NetmapAbi.SLOT_LEN, length | flags << 16);
  }

  /** Lets a slot name another buffer; flags stay. */
  public void setBufferIndex(int slot, long index) {
    Memory.putInt(slot(slot) + NetmapAbi.SLOT_BUF_IDX, (int) index);
  }

  /**
   * Exchanges the buffers of two slots of one memory and sets NS_BUF_CHANGED on both. The caller
   * holds both monitors.
   */
  public void swapBuffers(int slot, Kring other, int otherSlot) {
    long mine = bufferIndex(slot);
    setBufferIndex(slot, other.bufferIndex(otherSlot));
    other.setBufferIndex(otherSlot, mine);
    Memory.putShort(slot(slot) + NetmapAbi.SLOT_FLAGS, flags(slot) | NetmapAbi.NS_BUF_CHANGED);
    Memory.putShort(
        other.slot(otherSlot) + NetmapAbi.SLOT_FLAGS,
        other.flags(otherSlot) | NetmapAbi.NS_BUF_CHANGED);
  }

  /** Bytes of a frame that fit into one buffer of this ring. */
  public int usableBytes() {
    return usable;
  }

  /** Ring flags as the user set them: NR_TIMESTAMP, NR_FORWARD. */
  public int ringFlags() {
    return (int) Memory.getUnsignedInt(ring + NetmapAbi.RING_FLAGS);
  }

  /** Slots at hwtail and after that a device may still fill, one kept empty (RX). */
  public int room() {
    return slots - 1 - distance(hwcur, hwtail);
  }

  /** One TX sync for a user. */
  synchronized void txSync() {
    if (mode == Mode.OFF || stopped) {
      return;
    }
    if (!takeTx()) {
      reinit();
      return;
    }
    sync.sync(this);
    publishTail();
  }

  /**
   * One RX sync for a user.
   *
   * @param forwardDown whether frames of the host may be put into the NIC's TX rings
   */
  synchronized void rxSync(boolean forwardDown) {
    if (mode == Mode.OFF || stopped) {
      return;
    }
    if (!takeRx()) {
      reinit();
    }
    if (rhead != hwcur && (ringFlags() & NetmapAbi.NR_FORWARD) != 0) {
      adapter.forward(this, forwardDown);
    }
    int before = rtail;
    sync.sync(this);
    publishTail();
    if (rtail != before || (ringFlags() & NetmapAbi.NR_TIMESTAMP) != 0) {
      Clock.stamp(ring + NetmapAbi.RING_TS);
    }
  }

  /**
   * Puts a frame of another kring into this TX ring as its user would, by exchanging buffers, and
   * moves the user's head: it leaves with the next txsync. What the transparent mode does with
   * frames of the host. The caller holds {@code from}'s monitor.
   *
   * @return false when the user left no room
   */
  public synchronized boolean putForUser(Kring from, int slot) {
    long head = mode == Mode.ON ? Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD) : slots;
    if (head >= slots || distance(rhead, (int) head) >= distance(rhead, rtail)) {
      return false;
    }
    int at = (int) head;
    int length = from.length(slot);
    from.setSlot(slot, length, 0);
    setSlot(at, length, 0);
    from.swapBuffers(slot, this, at);
    Memory.putInt(ring + NetmapAbi.RING_CUR, next(at));
    Memory.publishInt(ring + NetmapAbi.RING_HEAD, next(at));
    return true;
  }

  /** Shows the user how far the device is. */
  public void publishTail() {
    rtail = hwtail;
    Memory.publishInt(ring + NetmapAbi.RING_TAIL, hwtail);
  }

  /** Takes head and cur: from rhead up, head, cur and rtail follow in this order. */
  private boolean takeTx() {
    return take(rhead);
  }

  /** Takes head and cur: from hwcur up, head, cur and rtail follow in this order. */
  private boolean takeRx() {
    return take(hwcur);
  }

  private boolean take(int from) {
    long head = Memory.getUnsignedIntAcquire(ring + NetmapAbi.RING_HEAD);
    long cur = Memory.getUnsignedInt(ring + NetmapAbi.RING_CUR);
    if (head >= slots || cur >= slots) {
      return false;
    }
    int theirs = distance(from, rtail);
    int toHead = distance(from, (int) head);
    int toCur = distance(from, (int) cur);
    if (toHead > theirs || toCur > theirs || toCur < toHead) {
      return false;
    }
    if (Memory.getUnsignedInt(ring + NetmapAbi.RING_TAIL) != rtail) {
      Complaints.tell(this, "tail was overwritten; it is the kernel's");
      Memory.publishInt(ring + NetmapAbi.RING_TAIL, rtail);
    }
    rhead = (int) head;
    rcur = (int) cur;
    return true;
  }

  /**
   * The user showed a bad index: the ring goes back to where the device is, and slots that name no
   * buffer or are too long lose index and length.
   */
  private void reinit() {
    reinits++;
    Complaints.tell(
        this,
        "ring reinit: head "
            + Memory.getUnsignedInt(ring + NetmapAbi.RING_HEAD)
            + " cur "
            + Memory.getUnsignedInt(ring + NetmapAbi.RING_CUR)
            + " -> "
            + hwcur
            + ", tail "
            + hwtail);
    for (int slot = 0; slot < slots; slot++) {
      if (data(slot) == 0) {
        setBufferIndex(slot, 0);
        setSlot(slot, 0, flags(slot));
      } else if (length(slot) > usable) {
        setSlot(slot, 0, flags(slot));
      }
    }
    putUser(hwcur);
  }

  private void putUser(int head) {
    rhead = head;
    rcur = head;
    Memory.putInt(ring + NetmapAbi.RING_CUR, head);
    Memory.putInt(ring + NetmapAbi.RING_HEAD, head);
    publishTail();
  }

  /** How often a user showed a bad index. */
  public synchronized long reinits() {
    return reinits;
  }

  /** Counts frames that are dropped here. The caller holds the monitor. */
  public void drop(DropReason reason, long frames) {
    dropped[reason.code()] += frames;
  }

  /** What was dropped here, without the reasons that never came up. */
  public synchronized List<DeviceDrops> drops() {
    List<DeviceDrops> drops = new ArrayList<>();
    for (DropReason reason : DropReason.values()) {
      if (dropped[reason.code()] != 0) {
        drops.add(new DeviceDrops(reason.words(), dropped[reason.code()]));
      }
    }
    return drops;
  }

  /**
   * There is news here for its users (nm_notify). Whoever sleeps is woken; costs no system call
   * when nobody does. Any thread, with the monitor or without.
   */
  public void notifyUsers() {
    for (Alarm alarm : alarms) {
      alarm.wake();
    }
    for (Kring kring : watchers) {
      kring.notifyUsers();
    }
  }

  /** Lets news here be told to another kring's users as well, a monitor's, or no more. */
  public synchronized void tellAlso(Kring watcher, boolean tell) {
    List<Kring> now = new ArrayList<>(Arrays.asList(watchers));
    now.remove(watcher);
    if (tell) {
      now.add(watcher);
    }
    watchers = now.toArray(NO_KRINGS);
  }

  /**
   * Imports what has come, for somebody who looks on; the user is shown it at the next sync of his
   * own.
   */
  public synchronized void look() {
    if (mode == Mode.ON && !stopped) {
      sync.sync(this);
    }
  }

  /** Control plane. */
  void addAlarm(Alarm alarm) {
    Alarm[] more = Arrays.copyOf(alarms, alarms.length + 1);
    more[alarms.length] = alarm;
    alarms = more;
  }

  /** Control plane. */
  void removeAlarm(Alarm alarm) {
    List<Alarm> fewer = new ArrayList<>(Arrays.asList(alarms));
    fewer.remove(alarm);
    alarms = fewer.toArray(NOBODY);
  }

  @Override
  public String toString() {
    return adapter.name() + (tx ? " TX " : " RX ") + (host ? "host ring " : "ring ") + id;
  }
}
