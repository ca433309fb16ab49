// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;

/**
 * What a kind of port implements, as PORTING tells it for drivers: config, krings, register,
 * txsync, rxsync, notify (docs/porting.md). Control-plane methods are called under the device's
 * lock; the syncs under the kring's.
 */
public abstract class Adapter {
  /**
   * Numbers of rings and slots, read anew while nobody uses the port.
   *
   * @param hostTxRings rings towards the host's stack, 0 for ports that have none
   */
  public record Config(
      int txRings, int rxRings, int hostTxRings, int hostRxRings, int txSlots, int rxSlots) {
    /** TX rings, NIC's and host's. */
    public int allTx() {
      return txRings + hostTxRings;
    }

    /** RX rings, NIC's and host's. */
    public int allRx() {
      return rxRings + hostRxRings;
    }
  }

  private static final Kring[] NONE = new Kring[0];

  private final String name;
  private final Pool memory;

  /** TX krings while somebody uses the port: the NIC's, then the host's. */
  protected Kring[] txKrings = NONE;

  /** RX krings, likewise. */
  protected Kring[] rxKrings = NONE;

  /** Rings and slots as of the last look; fixed while somebody uses the port. */
  Config current = new Config(0, 0, 0, 0, 0, 0);

  /** Opens of this port. */
  int activeFds;

  /** Who knows this object: lookups under way, opens, adapters made on top of it. */
  int references = 1;

  private @Nullable String claimedBy;
  private final List<Runnable> whenIdle = new ArrayList<>();

  /**
   * A port with its kernel name.
   *
   * @param memory its memory, as {@link Pools} gave it: this object has its reference now
   */
  protected Adapter(String name, Pool memory) {
    this.name = name;
    this.memory = memory;
  }

  /** Its name as the kernel writes it, a pipe's with its brace. */
  public final String name() {
    return name;
  }

  /** The memory of its rings and buffers. */
  public final Pool memory() {
    return memory;
  }

  /** How many opens use it. */
  public final int users() {
    return activeFds;
  }

  /** TX krings: the NIC's, then the host's; none while nobody uses the port. */
  public final Kring[] txKrings() {
    return txKrings;
  }

  /** RX krings, likewise. */
  public final Kring[] rxKrings() {
    return rxKrings;
  }

  /** The port's rings and slots as of the last look. */
  public final Config currentConfig() {
    return current;
  }

  /**
   * One more reference: of an adapter that is made on top of this one. {@link Ports#release} takes
   * it back.
   */
  public final void hold() {
    references++;
  }

  /**
   * Takes the port for the device's own use, a VALE switch's: every user's open is refused as busy.
   *
   * @throws NetmapException EBUSY when somebody has it
   */
  public final void claim(String by) throws NetmapException {
    if (claimedBy != null) {
      throw new NetmapException(name + " belongs to " + claimedBy, Errno.EBUSY);
    }
    if (activeFds > 0) {
      throw new NetmapException(name + " is open", Errno.EBUSY);
    }
    claimedBy = by;
  }

  /** Gives back what {@link #claim} took. */
  public final void unclaim() {
    claimedBy = null;
  }

  /** Whom it was claimed by. */
  public final @Nullable String claimedBy() {
    return claimedBy;
  }

  /**
   * Calls back when the last user leaves, while rings and krings are still there: for monitors.
   * Under the device's lock.
   */
  public final void whenIdle(Runnable action) {
    whenIdle.add(action);
  }

  /** Takes back what {@link #whenIdle} was given. */
  public final void notWhenIdle(Runnable action) {
    whenIdle.remove(action);
  }

  /** One open less. */
  final void userLeft() {
    activeFds--;
    if (activeFds == 0) {
      List.copyOf(whenIdle).forEach(Runnable::run);
    }
  }

  /** The port's rings and slots as they are now: nm_config. */
  protected abstract Config config() throws NetmapException;

  /**
   * Makes {@link #txKrings} and {@link #rxKrings} for {@link #currentConfig}: nm_krings_create.
   * Their rings are made next, except those that have one already.
   *
   * @throws NetmapException and there are none
   */
  protected void createKrings() throws NetmapException {
    Kring.Sync tx = this::txSync;
    Kring.Sync rx = this::rxSync;
    txKrings = new Kring[current.allTx()];
    for (int i = 0; i < txKrings.length; i++) {
      txKrings[i] = new Kring(this, i, true, i >= current.txRings(), current.txSlots(), tx);
    }
    rxKrings = new Kring[current.allRx()];
    for (int i = 0; i < rxKrings.length; i++) {
      rxKrings[i] = new Kring(this, i, false, i >= current.rxRings(), current.rxSlots(), rx);
    }
  }

  /** Forgets them: nm_krings_delete. Their rings are gone, except what an override made itself. */
  protected void deleteKrings() {
    txKrings = NONE;
    rxKrings = NONE;
  }

  /**
   * The memory's address is good from now on, and rings and buffers are there: what a port needs to
   * know of all of them, once for all its users, it learns here.
   *
   * @throws NetmapException and nothing has changed
   */
  protected void takeBufferTable() throws NetmapException {}

  /** The memory's address is good no longer. */
  protected void dropBufferTable() {}

  /**
   * Some krings have another pendingMode than mode: makes it so, all or nothing: nm_register. Rings
   * and buffers exist, and do until {@code on} is false. The caller sets the modes afterwards.
   *
   * @param on whether rings are switched on, else off
   * @throws NetmapException and nothing has changed; switching off goes on regardless
   */
  protected abstract void register(boolean on) throws NetmapException;

  /** Sends [hwcur, rhead), moves hwcur, and hwtail over what is sent. */
  protected abstract void txSync(Kring kring);

  /** Gives [hwcur, rhead) back, moves hwcur, and hwtail over what came. */
  protected abstract void rxSync(Kring kring);

  /**
   * The user set NR_FORWARD on an RX ring and gives [hwcur, rhead) back: slots with NS_FORWARD go
   * to the other side. Before rxSync, with the kring's monitor. Only NICs have another side.
   *
   * @param forwardDown whether the same open has all of the NIC's TX rings, so that frames of the
   *     host may be put there
   */
  protected void forward(Kring kring, boolean forwardDown) {}

  /** A descriptor that is readable when {@code kring} has news, or -1: somebody calls notify. */
  protected int readyFd(Kring kring) {
    return -1;
  }

  /** Slots that one frame may take in a TX ring that is not the host's. */
  protected int longestChain() {
    return 64;
  }

  /** How the port is served, for people. */
  protected String description() {
    return name;
  }

  /** Bytes of the virtio-net header in front of each frame. */
  protected int headerLength() {
    return 0;
  }

  /** Why it can't move frames any more, or null while it can. */
  protected @Nullable String failure() {
    return null;
  }

  /**
   * What was dropped on its way to or from this ring where the kring does not count it, such as in
   * a driver. What belongs to no ring in particular is told for one of them.
   */
  protected List<DeviceDrops> drops(Kring kring) {
    return List.of();
  }

  /**
   * The first open failed. Whether there is another way to serve the port, which was taken: the
   * open is tried again.
   */
  protected boolean fallBack(NetmapException failure) {
    return false;
  }

  /** The last reference is gone; nobody uses the port. Its memory is released afterwards. */
  protected void destroy() {}

  @Override
  public String toString() {
    return name;
  }
}
