// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.monitor;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapPort.DeviceDrops;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.Ports;

/**
 * A look at a port that somebody else has open. Its RX ring n sees ring n of the port, TX, RX or
 * both; its TX ring sends nothing. It ends with the port's last user, and says so.
 */
final class Monitor extends Adapter {
  private final Ports ports;
  private final Adapter port;
  private final Config config;
  private final boolean seesTx;
  private final boolean seesRx;
  private final boolean zeroCopy;
  private final Runnable portIsIdle = this::portIsIdle;

  private MonitorRing[] rings = new MonitorRing[0];

  /** Per ring of ours, the port's RX rings that its reader looks into. */
  private Kring[][] lookedAt = new Kring[0][];

  private boolean holdsPort = true;
  private volatile @Nullable String failure;

  /**
   * A monitor of a port in use.
   *
   * @param port this object takes over a reference to it
   */
  Monitor(
      String name,
      Pool memory,
      Adapter port,
      Config config,
      boolean seesTx,
      boolean seesRx,
      boolean zeroCopy,
      Ports ports) {
    super(name, memory);
    this.port = port;
    this.config = config;
    this.seesTx = seesTx;
    this.seesRx = seesRx;
    this.zeroCopy = zeroCopy;
    this.ports = ports;
    port.whenIdle(portIsIdle);
  }

  @Override
  protected Config config() {
    return config;
  }

  @Override
  protected void register(boolean on) {
    if (rings.length == 0) {
      makeRings();
    }
    if (failure != null) {
      return;
    }
    for (Kring kring : rxKrings) {
      if (kring.pendingMode != kring.mode) {
        for (Kring watched : watched(kring)) {
          watch(watched, rings[kring.id], on);
        }
      }
    }
  }

  private void makeRings() {
    rings = new MonitorRing[rxKrings.length];
    lookedAt = new Kring[rings.length][];
    for (int i = 0; i < rings.length; i++) {
      rings[i] = new MonitorRing(rxKrings[i]);
      lookedAt[i] =
          watched(rxKrings[i]).stream()
              .filter(kring -> !kring.tx && !zeroCopy)
              .toArray(Kring[]::new);
    }
  }

  private void watch(Kring kring, MonitorRing ring, boolean on) {
    if (!on) {
      WatchedRing.remove(kring, ring);
    } else if (zeroCopy) {
      WatchedRing.addZeroCopy(kring, ring);
    } else {
      WatchedRing.addCopy(kring, ring);
    }
  }

  /** The port's rings that one of ours sees. */
  private List<Kring> watched(Kring kring) {
    List<Kring> watched = new ArrayList<>();
    if (seesTx) {
      addWatched(watched, kring, port.txKrings(), port.currentConfig().txRings());
    }
    if (seesRx) {
      addWatched(watched, kring, port.rxKrings(), port.currentConfig().rxRings());
    }
    return watched;
  }

  private void addWatched(List<Kring> watched, Kring kring, Kring[] theirs, int nicRings) {
    int index = kring.host ? nicRings + kring.id - config.rxRings() : kring.id;
    if (index < (kring.host ? theirs.length : nicRings)) {
      watched.add(theirs[index]);
    }
  }

  /** The port's last user left: its rings go away. Under the device's lock. */
  private void portIsIdle() {
    failure = port.name() + " was closed, which this port monitored";
    for (Kring kring : rxKrings) {
      for (Kring watched : watched(kring)) {
        WatchedRing.remove(watched, rings[kring.id]);
      }
      kring.notifyUsers();
    }
    letGo();
  }

  private void letGo() {
    if (holdsPort) {
      holdsPort = false;
      port.notWhenIdle(portIsIdle);
      ports.release(port);
    }
  }

  @Override
  protected void deleteKrings() {
    super.deleteKrings();
    rings = new MonitorRing[0];
  }

  @Override
  protected void destroy() {
    letGo();
  }

  @Override
  protected void txSync(Kring kring) {
    // Nothing can be sent through a monitor; the slots stay where they are.
  }

  @Override
  protected void rxSync(Kring kring) {
    if (failure == null) {
      // What has come to the port, and its reader has not fetched yet.
      for (Kring watched : lookedAt[kring.id]) {
        watched.look();
      }
    }
    rings[kring.id].sync();
  }

  @Override
  protected @Nullable String failure() {
    return failure;
  }

  @Override
  protected List<DeviceDrops> drops(Kring kring) {
    long lost = kring.tx || kring.id >= rings.length ? 0 : rings[kring.id].lost();
    return lost == 0 ? List.of() : List.of(new DeviceDrops(DropReason.RING_FULL.words(), lost));
  }
}
