// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.vhostnetmap.vhost.feature.ProtocolFeature.VHOST_USER_PROTOCOL_F_STATUS;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VHOST_F_LOG_ALL;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VHOST_USER_F_PROTOCOL_FEATURES;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Notifier;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.ProtocolFeature;
import org.vhostnetmap.vhost.feature.VirtioFeature;
import org.vhostnetmap.vhost.message.MemoryRegion;
import org.vhostnetmap.vhost.message.VringAddress;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.RingFormat;

/**
 * The virtio-net device behind one front-end: features, memory, rings and status byte, and the one
 * place that tells the data plane what to run. Lives as long as the connection. Control thread
 * only, but for {@link #ownsFaultedMemory}.
 */
final class Device implements AutoCloseable {
  private static final int FEATURES_OK = 8;
  private static final int STATUS_BITS = 0xff;
  private static final int LEAST_MTU = 68;
  private static final int MOST_MTU = 65535;

  private final String name;
  private final EventLoop loop;
  private final Offer offer;
  private final DataPlane plane;
  private final PortCounters counters;
  private final List<Ring> rings = new ArrayList<>();

  private FeatureSet<VirtioFeature> features = FeatureSet.of(new VirtioFeature[0]);
  private FeatureSet<ProtocolFeature> protocolFeatures = FeatureSet.of(new ProtocolFeature[0]);
  private boolean featuresRefused;
  private int status;
  private int mtu;
  private volatile MemoryTable table = MemoryTable.EMPTY;
  private List<Vring> running = List.of();
  private @Nullable Fd backendRequests;
  private boolean warnedOfShrinking;
  private boolean hasEverRun;

  Device(
      String name,
      EventLoop loop,
      Offer offer,
      DataPlane plane,
      PortCounters counters,
      Signals signals) {
    this.name = name;
    this.loop = loop;
    this.offer = offer;
    this.plane = plane;
    this.counters = counters;
    for (int i = 0; i < offer.rings(); i++) {
      rings.add(new Ring(i, signals));
    }
  }

  // Features

  FeatureSet<VirtioFeature> features() {
    return features;
  }

  /**
   * SET_FEATURES. Without bit 30 it enables all rings; with it, it leaves them as they are (trap
   * 14).
   */
  void setFeatures(FeatureSet<VirtioFeature> wanted) throws Refusal {
    FeatureSet<VirtioFeature> unoffered = wanted.minus(offer.features());
    featuresRefused = !unoffered.isEmpty();
    if (featuresRefused) {
      update(); // no ring runs by features that one side only believes in
      throw new Refusal(
          "features that were not offered: " + unoffered,
          protocolFeatures.has(VHOST_USER_PROTOCOL_F_STATUS));
    }
    if (!running.isEmpty()
        && !wanted.without(VHOST_F_LOG_ALL).equals(features.without(VHOST_F_LOG_ALL))
        && !onlyForgetsProtocolBit(wanted)) {
      throw new Refusal("features changed from " + features + " to " + wanted + " while rings run");
    }
    features = wanted;
    if (!wanted.has(VHOST_USER_F_PROTOCOL_FEATURES)) {
      rings.forEach(ring -> ring.enabled(true));
    }
    update();
  }

  /** User-mode Linux sends the features twice, the second time without bit 30. */
  private boolean onlyForgetsProtocolBit(FeatureSet<VirtioFeature> wanted) {
    return wanted.equals(features.without(VHOST_USER_F_PROTOCOL_FEATURES));
  }

  FeatureSet<ProtocolFeature> protocolFeatures() {
    return protocolFeatures;
  }

  /** SET_PROTOCOL_FEATURES; QEMU sends it once for each queue pair. */
  void setProtocolFeatures(FeatureSet<ProtocolFeature> wanted) throws Refusal {
    if (!offer.protocolFeatures().hasAll(wanted)) {
      throw new Refusal(
          "protocol features that were not offered: " + wanted.minus(offer.protocolFeatures()));
    }
    protocolFeatures = wanted;
  }

  // Status byte

  /** GET_STATUS: FEATURES_OK stays clear after features that were not offered (virtio 1.3, 2.2). */
  int status() {
    return featuresRefused ? status & ~FEATURES_OK : status;
  }

  /**
   * SET_STATUS. Zero is a reset: rings are not touched any more, but keep their indices, because
   * QEMU 7.2 asks for them with GET_VRING_BASE afterwards (trap 17).
   */
  void setStatus(long value) throws Refusal {
    if ((value & ~STATUS_BITS) != 0) {
      throw new Refusal("status 0x" + Long.toHexString(value));
    }
    status = (int) value;
    if (status == 0) {
      featuresRefused = false;
      rings.forEach(Ring::reset);
      update();
    }
  }

  // Device-wide requests

  /** RESET_OWNER: the document leaves "ignore" or "disable all rings". */
  void disableAllRings() {
    rings.forEach(ring -> ring.enabled(false));
    update();
  }

  /**
   * RESET_DEVICE. Memory stays, since front-ends with memory slots tell it once only; so do call
   * and err descriptors, which come at connect.
   */
  void reset() {
    for (Ring ring : rings) {
      ring.reset();
      ring.enabled(false);
    }
    update();
    rings.forEach(Ring::forgetBase);
    features = FeatureSet.of(new VirtioFeature[0]);
    featuresRefused = false;
    status = 0;
  }

  /** NET_SET_MTU. */
  void setMtu(long value) throws Refusal {
    if (value < LEAST_MTU || value > MOST_MTU) {
      throw new Refusal(
          "MTU " + Long.toUnsignedString(value) + " is not " + LEAST_MTU + " to " + MOST_MTU);
    }
    mtu = (int) value;
  }

  /** SEND_RARP, on a device that may never have been started (trap 32). */
  void announce(long macAddress48) {
    plane.announce(macAddress48);
  }

  /** SET_BACKEND_REQ_FD. Kept open to the end: QEMU logs an error when it closes. */
  void setBackendRequests(Fd fd) {
    if (backendRequests != null) {
      backendRequests.close();
    }
    backendRequests = fd;
  }

  // Memory

  /** SET_MEM_TABLE. */
  void setMemory(List<MemoryRegion> regions, List<Fd> fds) throws Refusal {
    replaceMemory(table.replacedBy(regions, fds));
  }

  /**
   * ADD_MEM_REG. QEMU 7.2 sends each region once for each queue pair: an exact duplicate is done
   * already (trap 24).
   */
  void addMemory(MemoryRegion region, Fd fd) throws Refusal {
    try (fd) {
      if (!table.has(region, fd)) {
        replaceMemory(table.plus(region, fd, offer.maxMemorySlots()));
      }
    }
  }

  /** REM_MEM_REG; what is not there is done already. */
  void removeMemory(MemoryRegion region) {
    MemoryTable next = table.minus(region);
    if (!next.equals(table)) {
      replaceMemory(next);
    }
  }

  /**
   * The new table is mapped already: the rings rest only as long as it takes to find their places
   * in it.
   */
  private void replaceMemory(MemoryTable next) {
    run(List.of());
    MemoryTable old = table;
    table = next;
    old.close();
    rings.forEach(Ring::healIfMisplaced);
    update();
    if (!warnedOfShrinking && !next.isSealed()) {
      warnedOfShrinking = true;
      counters.say(
          name,
          Level.WARNING,
          "memory of the guest is in a file that is not sealed, so that its owner can take pages away"
              + " (memory-backend-memfd has the seal)");
    }
  }

  boolean ownsFaultedMemory() {
    return table.hasShrunk();
  }

  // Rings

  /** The ring with this index of any 32 bits. */
  Ring ring(long index) throws Refusal {
    if (index < 0 || index >= rings.size()) {
      throw new Refusal("ring " + index + " of " + rings.size());
    }
    return rings.get((int) index);
  }

  /**
   * SET_VRING_NUM. QEMU passes on what the guest wrote into a register, so an impossible size is
   * the guest's fault: it costs the guest that ring, not the front-end its connection.
   */
  void setSize(Ring ring, long entries) throws Refusal {
    requireStill(ring, "size");
    ring.size(entries);
    RingFormat format = expectedFormat();
    if (!format.isSize(entries)) {
      throw new Refusal(Ring.impossible(entries, format), true);
    }
  }

  /** What the rings will be; before SET_FEATURES what they may become. */
  private RingFormat expectedFormat() {
    return Ring.format(features.isEmpty() ? offer.features() : features);
  }

  /** SET_VRING_ADDR. The addresses are looked at when the ring starts: memory may come later. */
  void setAddress(Ring ring, VringAddress address) throws Refusal {
    if (!ring.isAt(address)) {
      requireStill(ring, "addresses");
    }
    ring.address(address);
  }

  /**
   * SET_VRING_BASE; of a split ring the low 16 bits count, which the ring knows when it starts. May
   * differ from what GET_VRING_BASE answered (trap 18).
   */
  void setBase(Ring ring, long value) throws Refusal {
    requireStill(ring, "base");
    ring.base(value);
  }

  private static void requireStill(Ring ring, String what) throws Refusal {
    if (ring.isRunning()) {
      throw new Refusal(what + " of ring " + ring.index() + " changed while it runs");
    }
  }

  /** SET_VRING_KICK: starts the ring, anew if it runs. */
  void start(Ring ring, @Nullable Notifier kick) {
    // The old kick descriptor is closed by start(): nobody may wait on it then.
    without(ring);
    ring.start(kick);
    update();
  }

  /**
   * SET_VRING_ENABLE: remembered across stop and start, and may come before everything else (trap
   * 13).
   */
  void enable(Ring ring, long value) throws Refusal {
    if (value < 0 || value > 1) {
      throw new Refusal("ring enabled with " + value);
    }
    ring.enabled(value == 1);
    update();
  }

  /**
   * GET_VRING_BASE: the data plane lets go, the ring forgets its descriptors and addresses. Answers
   * where it stands.
   */
  long stop(Ring ring) {
    without(ring);
    ring.stop();
    return ring.base(features);
  }

  /**
   * SET_VRING_CALL (trap 20): an eventfd takes the place of another in one step, for anything else
   * the ring rests meanwhile. Then one call, since one may have been lost.
   */
  void setCall(Ring ring, @Nullable Notifier fd) {
    if (!ring.swapCall(fd)) {
      without(ring);
      ring.replaceCall(fd);
      update();
    }
    if (ring.isRunning()) {
      ring.callOnce();
    }
  }

  /** SET_VRING_ERR. */
  void setErr(Ring ring, @Nullable Notifier fd) {
    ring.replaceErr(fd);
  }

  private void failed(Vring vring, GuestFault fault) {
    Ring ring = rings.get(vring.index());
    if (!ring.isRunning(vring)) {
      return; // stopped meanwhile
    }
    ring.breaks(fault.getMessage());
    update();
    counters.trouble(name, ring.words());
  }

  // What the data plane has

  /** Brings the data plane to what rings and memory say now. */
  private void update() {
    List<Vring> wanted = new ArrayList<>();
    for (Ring ring : rings) {
      if (ring.isWanted() && !featuresRefused) {
        Vring vring = ring.run(features, table.memory(), this::report);
        if (vring != null) {
          wanted.add(vring);
        } else {
          counters.trouble(name, ring.words());
        }
      }
    }
    run(wanted);
  }

  private void report(Vring vring, GuestFault fault) {
    loop.execute(() -> failed(vring, fault));
  }

  private void without(Ring ring) {
    run(running.stream().filter(vring -> vring.index() != ring.index()).toList());
  }

  /** The only caller of the data plane's run(). Rings it loses come to rest after it has let go. */
  private void run(List<Vring> wanted) {
    if (wanted.equals(running)) {
      return;
    }
    running = List.copyOf(wanted);
    hasEverRun |= !running.isEmpty();
    plane.run(new DeviceState(features, NetHeader.length(features), table.memory(), running));
    for (Ring ring : rings) {
      if (running.stream().noneMatch(ring::isRunning)) {
        ring.rest();
      }
    }
  }

  /** Everything goes back: rings first, then their descriptors, then memory. */
  @Override
  public void close() {
    run(List.of());
    rings.forEach(Ring::close);
    MemoryTable old = table;
    table = MemoryTable.EMPTY;
    old.close();
    if (backendRequests != null) {
      backendRequests.close();
      backendRequests = null;
    }
  }

  // Status for people

  /** Whether any ring of this front-end ever ran. */
  boolean hasEverRun() {
    return hasEverRun;
  }

  int mtu() {
    return mtu;
  }

  List<BackendStatus.Ring> ringStatus() {
    return rings.stream().map(Ring::status).toList();
  }

  List<BackendStatus.Region> memoryStatus() {
    return table.regions().stream()
        .map(r -> new BackendStatus.Region(r.guestAddress(), r.size()))
        .toList();
  }

  boolean memorySealed() {
    return table.isSealed();
  }
}
