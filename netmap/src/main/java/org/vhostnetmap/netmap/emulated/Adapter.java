// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;

/**
 * What a kind of port implements, as PORTING tells it for drivers: config, krings, register,
 * txsync, rxsync, notify. Control-plane methods are called under the device's lock; the syncs under
 * the kring's.
 */
public abstract class Adapter {
  /**
   * Numbers of rings and slots, read anew while nobody uses the port.
   *
   * @param hostTxRings rings towards the host's stack, 0 for ports that have none
   */
  public record Config(
      int txRings, int rxRings, int hostTxRings, int hostRxRings, int txSlots, int rxSlots) {}

  private final String name;

  /** Its memory; set before anything else is asked. */
  protected @Nullable Pool memory;

  /** TX krings while somebody uses the port: the NIC's, then the host's. */
  protected Kring[] txKrings = new Kring[0];

  /** RX krings, likewise. */
  protected Kring[] rxKrings = new Kring[0];

  /** Opens of this port. */
  int activeFds;

  /** A port with its kernel name. */
  protected Adapter(String name) {
    this.name = name;
  }

  /** Its name as the kernel writes it, a pipe's with its brace. */
  public final String name() {
    return name;
  }

  /** The port's rings and slots as they are now: nm_config. */
  protected abstract Config config() throws NetmapException;

  /**
   * Some rings have another pending mode than mode: makes it so, all or nothing: nm_register. Rings
   * and buffers exist, and do until {@code on} is false.
   */
  protected abstract void register(boolean on) throws NetmapException;

  /** Sends [hwcur, rhead), moves hwcur, and hwtail over what is sent. */
  protected abstract void txSync(Kring kring);

  /** Gives [hwcur, rhead) back, moves hwcur, and hwtail over what came. */
  protected abstract void rxSync(Kring kring);

  /** A descriptor that is readable when {@code kring} has news, or -1: somebody calls notify. */
  protected int readyFd(Kring kring) {
    return -1;
  }

  /** Why it can't move frames any more, or null while it can. */
  protected @Nullable String failure() {
    return null;
  }
}
