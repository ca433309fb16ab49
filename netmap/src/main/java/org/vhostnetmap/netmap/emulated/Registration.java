// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * Binds one open to an adapter's rings, in the order of netmap's own netmap_do_regif. Each step
 * leaves behind how to undo it; a failure undoes what was done, in reverse, and so does close. What
 * only the first user does, only the last one undoes. All under the device's lock.
 */
final class Registration {
  private static final System.Logger LOG = System.getLogger(Registration.class.getName());

  private final Adapter adapter;
  private final RegisterRequest request;
  private final Deque<Runnable> undo = new ArrayDeque<>();

  private RingRange range = RingRange.NONE;
  private Kring[] tx = new Kring[0];
  private Kring[] rx = new Kring[0];
  private long netmapIf;

  private Registration(Adapter adapter, RegisterRequest request) {
    this.adapter = adapter;
    this.request = request;
  }

  /**
   * Registers.
   *
   * @throws NetmapException and nothing is left behind
   */
  static Registration of(Adapter adapter, RegisterRequest request) throws NetmapException {
    Registration registration = new Registration(adapter, request);
    try {
      registration.run();
    } catch (NetmapException | RuntimeException | Error failed) {
      registration.unwind();
      throw failed;
    }
    return registration;
  }

  private void run() throws NetmapException {
    updateConfig();
    setRingId();
    finalizeMemory();
    createKrings();
    createRings();
    getKrings();
    newInterface();
    newExtraBuffers();
    bufferTable();
    switchOn();
    adapter.activeFds++;
    undo.push(adapter::userLeft);
  }

  /** Undoes everything, also when one of the steps can't be undone. */
  void unwind() {
    while (!undo.isEmpty()) {
      try {
        undo.pop().run();
      } catch (RuntimeException e) {
        LOG.log(System.Logger.Level.ERROR, adapter + ": a step was not undone", e);
      }
    }
  }

  private void updateConfig() throws NetmapException {
    if (adapter.activeFds == 0) {
      adapter.current = adapter.config();
    }
    if (adapter.headerLength() != 0 && !request.has(NetmapAbi.NR_ACCEPT_VNET_HDR)) {
      throw new NetmapException(
          adapter + " has a virtio-net header before its frames, which this open does not accept",
          Errno.EIO);
    }
  }

  private void setRingId() throws NetmapException {
    range = RingRange.of(adapter, request);
  }

  private void finalizeMemory() throws NetmapException {
    Pool memory = adapter.memory();
    try {
      memory.enter();
    } catch (ErrnoException e) {
      throw new NetmapException("no memory for " + adapter, e.errno(), e);
    }
    undo.push(memory::leave);
  }

  private void createKrings() throws NetmapException {
    if (adapter.activeFds == 0) {
      adapter.createKrings();
    }
    undo.push(
        () -> {
          if (adapter.activeFds == 0) {
            adapter.deleteKrings();
          }
        });
  }

  private void createRings() throws NetmapException {
    // Undone as a whole, also when only some were made.
    undo.push(this::deleteRings);
    if (adapter.activeFds > 0) {
      return;
    }
    for (Kring[] krings : new Kring[][] {adapter.txKrings, adapter.rxKrings}) {
      for (Kring kring : krings) {
        if (kring.ring == 0 && !adapter.memory().newRing(kring)) {
          Pool memory = adapter.memory();
          throw new NetmapException(
              "no room for a ring of "
                  + kring.slots
                  + " slots in netmap memory "
                  + memory.id()
                  + ", which has "
                  + memory.freeBuffers()
                  + " of "
                  + memory.geometry().buffers()
                  + " buffers left; shorter rings (@conf:slots=N) take fewer",
              Errno.ENOMEM);
        }
      }
    }
  }

  private void deleteRings() {
    if (adapter.activeFds == 0) {
      for (Kring[] krings : new Kring[][] {adapter.txKrings, adapter.rxKrings}) {
        for (Kring kring : krings) {
          if (!kring.needsRing) {
            adapter.memory().freeRing(kring);
          }
        }
      }
    }
  }

  private void getKrings() throws NetmapException {
    Kring[] wantedTx = Arrays.copyOfRange(adapter.txKrings, range.txFirst(), range.txEnd());
    Kring[] wantedRx = Arrays.copyOfRange(adapter.rxKrings, range.rxFirst(), range.rxEnd());
    boolean exclusive = request.has(NetmapAbi.NR_EXCLUSIVE);
    for (Kring[] krings : new Kring[][] {wantedTx, wantedRx}) {
      for (Kring kring : krings) {
        if (kring.exclusive || (exclusive && kring.users > 0)) {
          throw new NetmapException(kring + " is in use", Errno.EBUSY);
        }
      }
    }
    tx = wantedTx;
    rx = wantedRx;
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        kring.users++;
        kring.exclusive = exclusive;
        kring.pendingMode = Kring.Mode.ON;
      }
    }
    undo.push(this::putKrings);
  }

  private void putKrings() {
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        kring.exclusive = false;
        if (--kring.users == 0) {
          kring.pendingMode = Kring.Mode.OFF;
        }
      }
    }
  }

  private void newInterface() throws NetmapException {
    Adapter.Config config = adapter.current;
    Pool memory = adapter.memory();
    // Ports without host rings still say one pair, with entries of 0, as the kernel's netmap does.
    int hostTx = Math.max(1, config.hostTxRings());
    int hostRx = Math.max(1, config.hostRxRings());
    int entries = config.txRings() + hostTx + config.rxRings() + hostRx;
    long object =
        NetmapAbi.IF_RING_OFS + 8L * entries > memory.geometry().interfaceBytes()
            ? 0
            : memory.newInterface();
    if (object == 0) {
      throw new NetmapException(
          "no room for a netmap_if of " + entries + " rings in netmap memory " + memory.id(),
          Errno.ENOMEM);
    }
    netmapIf = object;
    undo.push(() -> memory.freeInterface(object));
    byte[] name = Arrays.copyOf(adapter.name().getBytes(StandardCharsets.UTF_8), 15);
    Memory.copyFromArray(name, 0, object + NetmapAbi.IF_NAME, name.length);
    Memory.putInt(
        object + NetmapAbi.IF_FLAGS, memory.id() == Pools.GLOBAL ? 0 : NetmapAbi.NI_PRIV_MEM);
    Memory.putInt(object + NetmapAbi.IF_TX_RINGS, config.txRings());
    Memory.putInt(object + NetmapAbi.IF_RX_RINGS, config.rxRings());
    Memory.putInt(object + NetmapAbi.IF_HOST_TX_RINGS, hostTx);
    Memory.putInt(object + NetmapAbi.IF_HOST_RX_RINGS, hostRx);
    putOffsets(tx, 0);
    putOffsets(rx, config.txRings() + hostTx);
  }

  private void putOffsets(Kring[] bound, int first) {
    for (Kring kring : bound) {
      Memory.putLong(
          netmapIf + NetmapAbi.IF_RING_OFS + 8L * (first + kring.id), kring.ring - netmapIf);
    }
  }

  /** As many as there are; they go with the netmap_if that they hang on. */
  private void newExtraBuffers() {
    if (request.extraBuffers() > 0) {
      Memory.putInt(
          netmapIf + NetmapAbi.IF_BUFS_HEAD, adapter.memory().newExtra(request.extraBuffers()));
    }
  }

  private void bufferTable() throws NetmapException {
    if (adapter.activeFds == 0) {
      adapter.takeBufferTable();
    }
    undo.push(
        () -> {
          if (adapter.activeFds == 0) {
            adapter.dropBufferTable();
          }
        });
  }

  private void switchOn() throws NetmapException {
    if (anyPending()) {
      adapter.register(true);
      commit();
    }
    undo.push(this::switchOff);
  }

  /** Rings that nobody else uses go back to the host. */
  private void switchOff() {
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        if (kring.users == 1) {
          kring.pendingMode = Kring.Mode.OFF;
        }
      }
    }
    if (anyPending()) {
      // No sync may be under way in a ring that the adapter takes apart.
      stop();
      try {
        adapter.register(false);
      } catch (NetmapException | RuntimeException e) {
        LOG.log(System.Logger.Level.WARNING, adapter + ": not switched off in order", e);
      }
      commit();
    }
  }

  private boolean anyPending() {
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        if (kring.pendingMode != kring.mode) {
          return true;
        }
      }
    }
    return false;
  }

  private void stop() {
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        synchronized (kring) {
          kring.stopped = kring.pendingMode == Kring.Mode.OFF;
        }
      }
    }
  }

  private void commit() {
    for (Kring[] krings : new Kring[][] {tx, rx}) {
      for (Kring kring : krings) {
        synchronized (kring) {
          kring.mode = kring.pendingMode;
          kring.stopped = false;
        }
      }
    }
  }

  Adapter adapter() {
    return adapter;
  }

  /** Bound TX krings, host's last. */
  Kring[] tx() {
    return tx;
  }

  /** Bound RX krings, host's last. */
  Kring[] rx() {
    return rx;
  }

  /** Host address of the netmap_if. */
  long netmapIf() {
    return netmapIf;
  }

  /** Whether all TX rings of the NIC are bound, so that the host's frames may be put there. */
  boolean mayForwardDown() {
    return request.mode() != PortMode.NULL
        && adapter.current.txRings() > 0
        && range.txFirst() == 0
        && range.txEnd() >= adapter.current.txRings();
  }
}
