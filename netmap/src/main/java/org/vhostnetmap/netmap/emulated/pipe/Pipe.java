// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.pipe;

import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.Ports;

/// Both ends of a pipe. They are made and end together, so that a sync never has to ask whether
/// there is another end: the end that nobody has open belongs to the one that somebody has.
///
/// ```
///   A)  user --> end --> other         other's rings are there already: frames wait in them
///   B)  user --> end     other <-- user
/// ```
///
/// From A to B when the other end is opened, back when one is closed. All under the device's lock.
final class Pipe {
  private final Adapter base;
  private final String id;
  private final Ports ports;
  private final Runnable ended;
  private final End first;
  private final End second;

  private PipeLane[] down = new PipeLane[0];
  private PipeLane[] up = new PipeLane[0];

  /**
   * A pipe of which one end has one reference, the caller's.
   *
   * @param base what it hangs on; this object takes over a reference to it
   * @param config rings of the first end; the second one has them the other way round
   * @param wantFirst which end the caller gets
   * @param ended what is to be done when both ends are gone
   */
  Pipe(
      Adapter base,
      String id,
      Adapter.Config config,
      boolean wantFirst,
      Ports ports,
      Runnable ended)
      throws NetmapException {
    this.base = base;
    this.id = id;
    this.ports = ports;
    this.ended = ended;
    Adapter.Config turned =
        new Adapter.Config(
            config.rxRings(), config.txRings(), 0, 0, config.rxSlots(), config.txSlots());
    int memory = base.memory().id();
    first = new End(base.name() + "{" + id, ports.pools().find(memory), config, true);
    second = new End(base.name() + "}" + id, ports.pools().find(memory), turned, false);
    end(wantFirst).ownsOther = true;
  }

  String id() {
    return id;
  }

  Adapter base() {
    return base;
  }

  End end(boolean wantFirst) {
    return wantFirst ? first : second;
  }

  /** One end. */
  final class End extends Adapter {
    private final Config config;
    private final boolean isFirst;

    /** Whether the other end lives by this one: nobody has it open. */
    private boolean ownsOther;

    private End(String name, Pool memory, Config config, boolean isFirst) {
      super(name, memory);
      this.config = config;
      this.isFirst = isFirst;
    }

    private End other() {
      return end(!isFirst);
    }

    @Override
    protected Config config() {
      return config;
    }

    @Override
    protected void createKrings() throws NetmapException {
      if (!ownsOther) {
        return;
      }
      ports.configOf(other());
      super.createKrings();
      other().createOwnKrings();
      down = link(first, second);
      up = link(second, first);
    }

    private void createOwnKrings() throws NetmapException {
      super.createKrings();
    }

    @Override
    protected void deleteKrings() {
      if (!ownsOther) {
        return;
      }
      freeRings();
      other().freeRings();
      super.deleteKrings();
      other().deleteOwnKrings();
      down = new PipeLane[0];
      up = new PipeLane[0];
    }

    private void deleteOwnKrings() {
      super.deleteKrings();
    }

    private void freeRings() {
      for (Kring[] krings : new Kring[][] {txKrings, rxKrings}) {
        for (Kring kring : krings) {
          memory().freeRing(kring);
        }
      }
    }

    @Override
    protected void register(boolean on) throws NetmapException {
      if (on) {
        createNeededRings(txKrings, other().rxKrings);
        createNeededRings(rxKrings, other().txKrings);
      }
      if (users() == 0 && !ownsOther) {
        changeOwner(on);
      }
    }

    /** This end's first open, or its last close, while the other one is open. */
    private void changeOwner(boolean on) {
      other().ownsOther = !on;
      if (on) {
        ports.release(this);
      } else {
        hold();
      }
    }

    /** The other side of each ring that is switched on has to be there, open or not. */
    private void createNeededRings(Kring[] krings, Kring[] others) throws NetmapException {
      for (int i = 0; i < krings.length; i++) {
        if (krings[i].pendingMode != Kring.Mode.ON) {
          continue;
        }
        if (others[i].ring == 0 && !memory().newRing(others[i])) {
          throw new NetmapException(
              "no room for a ring of the other end of " + name(), Errno.ENOMEM);
        }
        krings[i].needsRing = true;
        others[i].needsRing = true;
      }
    }

    @Override
    protected void txSync(Kring kring) {
      (isFirst ? down : up)[kring.id].send();
    }

    @Override
    protected void rxSync(Kring kring) {
      (isFirst ? up : down)[kring.id].receive();
    }

    @Override
    protected void destroy() {
      if (ownsOther) {
        ownsOther = false;
        ports.release(other());
        ended.run();
        ports.release(base);
      }
    }
  }

  private static PipeLane[] link(End from, End to) {
    Kring[] tx = from.txKrings();
    PipeLane[] lanes = new PipeLane[tx.length];
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = new PipeLane(tx[i], to.rxKrings()[i]);
    }
    return lanes;
  }
}
