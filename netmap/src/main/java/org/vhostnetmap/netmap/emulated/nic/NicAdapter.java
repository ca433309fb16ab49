// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.RegisterRequest;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Kring.Mode;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * A NIC: its hardware queues by the first way that works, its host rings, and the transparent mode
 * between the two.
 */
public final class NicAdapter extends Adapter {
  private static final System.Logger LOG = System.getLogger(NicAdapter.class.getName());
  private static final int SHORTEST = 14;
  private static final int FEWEST_SLOTS = 64;

  private final RegisterRequest wishes;
  private final List<NicQueues.Factory> ways;
  private final Deque<NicQueues.Factory> untried = new ArrayDeque<>();
  private final HostRings.Factory hostFactory;
  private final List<String> reasons = new ArrayList<>();
  private final Runnable whenGone;
  private @Nullable NicQueues queues;

  /** Number of the device that the queues were made for, 0 for none. */
  private int madeFor;

  private @Nullable HostRings host;
  private boolean cut;

  /** By NIC RX ring: the slot before was not the last one of its frame. */
  private boolean[] inChain = new boolean[0];

  private @Nullable NetmapException queueFailure;
  private @Nullable String hostFailure;

  /**
   * A NIC that nothing has happened to yet.
   *
   * @param ways how its queues may be served, best first
   * @param whenGone told when the last reference is gone
   */
  NicAdapter(
      String name,
      Pool memory,
      RegisterRequest wishes,
      List<NicQueues.Factory> ways,
      HostRings.Factory hostFactory,
      Runnable whenGone) {
    super(name, memory);
    this.wishes = wishes;
    this.ways = ways;
    untried.addAll(ways);
    this.hostFactory = hostFactory;
    this.whenGone = whenGone;
  }

  @Override
  protected Config config() throws NetmapException {
    forgetWhatIsGone();
    Config nic = queues().config();
    int hostTx = Math.max(1, wishes.hostTxRings());
    int hostRx = Math.max(1, wishes.hostRxRings());
    int fitting = fittingSlots(nic.txRings() + nic.rxRings() + hostTx + hostRx);
    return new Config(
        nic.txRings(),
        nic.rxRings(),
        hostTx,
        hostRx,
        wishes.txSlots() == 0 ? Math.min(nic.txSlots(), fitting) : nic.txSlots(),
        wishes.rxSlots() == 0 ? Math.min(nic.rxSlots(), fitting) : nic.rxSlots());
  }

  /**
   * Most slots, a power of two, with which all rings take half of what the memory has left: a NIC
   * of many queues gets shorter rings, and the next NIC still gets some.
   */
  private int fittingSlots(int rings) {
    return Math.max(FEWEST_SLOTS, Integer.highestOneBit(memory().freeBuffers() / 2 / rings));
  }

  /**
   * Nobody has the NIC open, but a pipe may keep this object: the device may be another one of the
   * same name by now, and all ways may have failed while there was none.
   */
  private void forgetWhatIsGone() {
    NicQueues known = queues;
    if (known == null ? !untried.isEmpty() : madeFor == indexNow()) {
      return;
    }
    if (known != null) {
      known.close();
      queues = null;
    }
    untried.clear();
    untried.addAll(ways);
    reasons.clear();
  }

  private int indexNow() {
    try {
      return NetDevice.of(name()).index();
    } catch (ErrnoException e) {
      return 0;
    }
  }

  /** The first way that works; what was wrong with those before is kept. */
  private NicQueues queues() throws NetmapException {
    NicQueues made = queues;
    int errno = Errno.EOPNOTSUPP;
    while (made == null && !untried.isEmpty()) {
      NicQueues.Factory way = untried.remove();
      try {
        made = way.create(name(), memory(), wishes);
      } catch (NetmapException e) {
        reasons.add("not by " + way.name() + ": " + e.getMessage());
        errno = e.errno();
      }
    }
    if (made == null) {
      throw new NetmapException(name() + " can't be opened, " + String.join("; ", reasons), errno);
    }
    if (queues == null) {
      madeFor = indexNow();
    }
    queues = made;
    return made;
  }

  @Override
  protected boolean fallBack(NetmapException failure) {
    NicQueues failed = queues;
    // Only what the queues themselves said: a wrong ring number is no fault of this way. And a NIC
    // that somebody else has would hear nothing by another way either.
    if (failed == null
        || untried.isEmpty()
        || failure != queueFailure
        || failure.errno() == Errno.EBUSY) {
      return false;
    }
    reasons.add("not by " + failed.description() + ": " + failure.getMessage());
    failed.close();
    queues = null;
    return true;
  }

  @Override
  protected int longestChain() {
    NicQueues known = queues;
    return known == null ? 1 : known.longestChain();
  }

  @Override
  protected String description() {
    StringBuilder text = new StringBuilder(name());
    if (queues != null) {
      text.append(" by ").append(queues.description());
    }
    if (host != null) {
      text.append(", host by ").append(host.description());
    }
    if (hostFailure != null) {
      text.append("; ").append(hostFailure);
    }
    reasons.forEach(reason -> text.append("; ").append(reason));
    return text.toString();
  }

  @Override
  protected void register(boolean on) throws NetmapException {
    if (on) {
      switchOn();
    } else {
      switchOff();
    }
  }

  private void switchOn() throws NetmapException {
    Deque<Runnable> undo = new ArrayDeque<>();
    try {
      for (int queue = 0; queue < currentConfig().txRings(); queue++) {
        if (!isQueueIn(queue, true) && isQueueIn(queue, false)) {
          int opened = queue;
          openQueue(opened);
          undo.push(() -> closeQueue(opened));
        }
      }
      switchHostOn(undo);
    } catch (NetmapException | RuntimeException e) {
      undo.forEach(Runnable::run);
      throw e;
    }
  }

  private void openQueue(int queue) throws NetmapException {
    try {
      queues().open(queue, txKrings[queue], rxKrings[queue]);
    } catch (NetmapException e) {
      queueFailure = e;
      throw e;
    }
  }

  /** Whether one of a queue's rings is in netmap mode, now or after the switch. */
  private boolean isQueueIn(int queue, boolean now) {
    Kring tx = txKrings[queue];
    Kring rx = rxKrings[queue];
    return now
        ? tx.mode == Mode.ON || rx.mode == Mode.ON
        : tx.pendingMode == Mode.ON || rx.pendingMode == Mode.ON;
  }

  private boolean isNicIn() {
    for (int queue = 0; queue < currentConfig().txRings(); queue++) {
      if (isQueueIn(queue, false)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Cuts the host off, and opens its rings. Where that can't be done and nobody asked for host
   * rings, frames move all the same, but the host goes on transmitting beside us.
   */
  private void switchHostOn(Deque<Runnable> undo) throws NetmapException {
    HostRings before = host;
    try {
      HostRings rings = before == null ? newHost(undo) : before;
      cutOrNot(rings, isNicIn(), undo);
      openHostRings(rings, undo);
      hostFailure = null;
    } catch (NetmapException e) {
      if (isHostWanted()) {
        throw e;
      }
      if (host != null && before == null) {
        host.close();
        host = null;
      }
      hostFailure = "the host still transmits beside us: " + e.getMessage();
      LOG.log(System.Logger.Level.WARNING, name() + ": " + hostFailure);
    }
  }

  private HostRings newHost(Deque<Runnable> undo) throws NetmapException {
    Config now = currentConfig();
    HostRings made = hostFactory.create(name(), now.hostTxRings(), now.hostRxRings());
    host = made;
    undo.push(
        () -> {
          if (host != null) {
            made.close();
            host = null;
          }
        });
    return made;
  }

  private boolean isHostWanted() {
    for (Kring[] krings : new Kring[][] {txKrings, rxKrings}) {
      for (Kring kring : krings) {
        if (kring.host && kring.pendingMode == Mode.ON) {
          return true;
        }
      }
    }
    return false;
  }

  private void cutOrNot(HostRings rings, boolean on, Deque<Runnable> undo) throws NetmapException {
    if (cut && !on && failure() != null) {
      // Of a NIC that is gone there is nothing to give back.
      cut = false;
    } else if (cut != on) {
      rings.cut(on);
      cut = on;
      undo.push(
          () -> {
            try {
              rings.cut(!on);
              cut = !on;
            } catch (NetmapException e) {
              LOG.log(System.Logger.Level.WARNING, name() + ": host path not put back", e);
            }
          });
    }
  }

  private void openHostRings(HostRings rings, Deque<Runnable> undo) throws NetmapException {
    for (Kring[] krings : new Kring[][] {txKrings, rxKrings}) {
      for (Kring kring : krings) {
        if (kring.host && kring.mode == Mode.OFF && kring.pendingMode == Mode.ON) {
          int ring = hostRing(kring);
          rings.open(ring, kring);
          undo.push(() -> rings.close(ring, kring));
        }
      }
    }
  }

  /** A host kring's number among the host's. */
  private int hostRing(Kring kring) {
    return kring.id - (kring.tx ? currentConfig().txRings() : currentConfig().rxRings());
  }

  private void switchOff() throws NetmapException {
    HostRings rings = host;
    if (rings != null) {
      for (Kring[] krings : new Kring[][] {txKrings, rxKrings}) {
        for (Kring kring : krings) {
          if (kring.host && kring.mode == Mode.ON && kring.pendingMode == Mode.OFF) {
            rings.close(hostRing(kring), kring);
          }
        }
      }
    }
    for (int queue = 0; queue < currentConfig().txRings(); queue++) {
      if (isQueueIn(queue, true) && !isQueueIn(queue, false)) {
        closeQueue(queue);
      }
    }
    if (rings == null) {
      return;
    }
    if (!isNicIn() && !isHostWanted()) {
      rings.close();
      host = null;
      cut = false;
    } else {
      cutOrNot(rings, isNicIn(), new ArrayDeque<>());
    }
  }

  private void closeQueue(int queue) {
    if (queues != null) {
      queues.close(queue);
    }
  }

  @Override
  protected void txSync(Kring kring) {
    HostRings rings = host;
    NicQueues nic = queues;
    if (kring.host) {
      if (rings != null) {
        rings.txSync(kring);
      }
    } else if (nic != null) {
      nic.txSync(kring);
    }
  }

  @Override
  protected void rxSync(Kring kring) {
    HostRings rings = host;
    NicQueues nic = queues;
    if (kring.host) {
      if (rings != null) {
        rings.rxSync(kring);
      }
    } else if (nic != null) {
      nic.rxSync(kring);
    }
  }

  @Override
  protected void createKrings() throws NetmapException {
    super.createKrings();
    inChain = new boolean[rxKrings.length];
  }

  @Override
  protected void forward(Kring kring, boolean forwardDown) {
    for (int slot = kring.hwcur; slot != kring.rhead; slot = kring.next(slot)) {
      int flags = kring.flags(slot);
      boolean whole = !inChain[kring.id] && (flags & NetmapAbi.NS_MOREFRAG) == 0;
      inChain[kring.id] = (flags & NetmapAbi.NS_MOREFRAG) != 0;
      if ((flags & NetmapAbi.NS_FORWARD) == 0) {
        continue;
      }
      if (!whole) {
        // The other side takes single slots; the frame is counted at its end.
        kring.drop(DropReason.FRAGMENTED, inChain[kring.id] ? 0 : 1);
      } else if (!kring.host) {
        forwardUp(kring, slot);
      } else if (forwardDown) {
        forwardDown(kring, slot);
      }
    }
  }

  /** NIC to host, straight from the NIC ring's buffer. */
  private void forwardUp(Kring kring, int slot) {
    HostRings rings = host;
    long data = kring.data(slot);
    int length = kring.length(slot);
    if (data == 0) {
      kring.drop(DropReason.NO_BUFFER, 1);
    } else if (length < SHORTEST) {
      kring.drop(DropReason.TOO_SHORT, 1);
    } else if (length > kring.usableBytes()) {
      kring.drop(DropReason.TOO_LONG, 1);
    } else if (rings == null || !rings.send(data, length)) {
      kring.drop(DropReason.REFUSED, 1);
    }
    kring.setSlot(slot, length, kring.flags(slot) & ~NetmapAbi.NS_FORWARD);
  }

  /** Host to NIC: the buffer goes to the first TX ring that has room, and leaves with its sync. */
  private void forwardDown(Kring kring, int slot) {
    for (int i = 0; i < currentConfig().txRings(); i++) {
      if (txKrings[i].putForUser(kring, slot)) {
        return;
      }
    }
    kring.drop(DropReason.NO_ROOM, 1);
  }

  @Override
  protected int readyFd(Kring kring) {
    HostRings rings = host;
    NicQueues nic = queues;
    if (kring.host) {
      return rings == null ? -1 : rings.readyFd(kring);
    }
    return nic == null ? -1 : nic.readyFd(kring);
  }

  @Override
  protected @Nullable String failure() {
    NicQueues nic = queues;
    String failure = nic == null ? null : nic.failure();
    HostRings rings = host;
    return failure == null && rings != null ? rings.failure() : failure;
  }

  /** The NIC's and the host's, each told by the first of its RX rings that is in netmap mode. */
  @Override
  protected List<DeviceDrops> drops(Kring kring) {
    if (kring.tx || kring != firstOn(kring.host)) {
      return List.of();
    }
    HostRings rings = host;
    NicQueues nic = queues;
    if (kring.host) {
      return rings == null ? List.of() : rings.drops();
    }
    return nic == null ? List.of() : nic.drops();
  }

  private @Nullable Kring firstOn(boolean hosts) {
    for (Kring kring : rxKrings) {
      if (kring.host == hosts && kring.mode == Mode.ON) {
        return kring;
      }
    }
    return null;
  }

  @Override
  protected void destroy() {
    if (queues != null) {
      queues.close();
      queues = null;
    }
    whenGone.run();
  }
}
