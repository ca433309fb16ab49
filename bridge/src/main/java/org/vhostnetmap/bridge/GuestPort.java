// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.vhost.BackendStatus;
import org.vhostnetmap.vhost.DataPlane;
import org.vhostnetmap.vhost.DeviceState;
import org.vhostnetmap.vhost.VhostUserBackend;
import org.vhostnetmap.vhost.Vring;
import org.vhostnetmap.vhost.feature.VirtioFeature;

/**
 * A guest's network card: the data plane of one vhost-user back-end. Its counters live as long as
 * the port; its rings come and go with the front-end and the driver.
 */
public final class GuestPort extends Port implements DataPlane {
  private final Bridge bridge;
  private final QueueCounters[] transmitCounters;
  private final QueueCounters[] receiveCounters;
  private final QueueCounters portCounters = new QueueCounters("rx", false);
  private final QueueCounters announceCounters = new QueueCounters("announce", true);
  private final FlowSink sink =
      new FlowSink(portCounters, DropReason.NOT_READY, DropReason.NO_BUFFERS);
  private final AnnounceSource announcements = new AnnounceSource(announceCounters);
  private List<GuestTransmit> transmits = List.of();
  private List<GuestReceive> receives = List.of();
  private final AtomicBoolean abandoned = new AtomicBoolean(); // and the rings not yet taken away
  private volatile @Nullable VhostUserBackend backend;
  private long callPauseNanos;
  private boolean coalesces;

  /**
   * A port of up to {@code queuePairs} queue pairs; {@link #attach} makes it speak to front-ends.
   */
  public GuestPort(String name, Bridge bridge, int queuePairs) throws ErrnoException {
    super(name);
    this.bridge = bridge;
    transmitCounters = new QueueCounters[queuePairs];
    receiveCounters = new QueueCounters[queuePairs];
    for (int pair = 0; pair < queuePairs; pair++) {
      receiveCounters[pair] = new QueueCounters("rx" + pair, false);
      transmitCounters[pair] = new QueueCounters("tx" + pair, true);
    }
  }

  /** Gives the port the back-end whose data plane it is, and with it the duty to close it. */
  public void attach(VhostUserBackend newBackend) {
    backend = newBackend;
  }

  /**
   * At least {@code micros} between two calls of one ring, 0 for none; for rings that start from
   * now on.
   */
  public GuestPort withCallPause(int micros) {
    callPauseNanos = micros * 1000L;
    return this;
  }

  /**
   * Whether TCP segments of one flow may go to the driver as one packet, if it takes that (GRO);
   * they may not until told. For rings that start from now on.
   */
  public GuestPort coalescing(boolean allowed) {
    coalesces = allowed;
    return this;
  }

  @Override
  public void run(DeviceState state) {
    int asked = Offload.asked(state.features());
    int taken = Offload.taken(state.features());
    boolean mergeable = state.features().has(VirtioFeature.VIRTIO_NET_F_MRG_RXBUF);
    List<GuestTransmit> nextTransmits = new ArrayList<>();
    List<GuestReceive> nextReceives = new ArrayList<>();
    for (Vring vring : state.rings()) {
      int pair = vring.index() / 2;
      if (vring.index() % 2 == 0) {
        nextReceives.add(
            find(receives, known -> known.vring() == vring)
                .orElseGet(
                    () ->
                        new GuestReceive(
                                vring,
                                state.headerLength(),
                                mergeable,
                                taken,
                                coalesces,
                                receiveCounters[pair])
                            .pausing(callPauseNanos)));
      } else {
        nextTransmits.add(
            find(transmits, known -> known.vring() == vring)
                .orElseGet(
                    () ->
                        new GuestTransmit(
                                vring, state.headerLength(), asked, transmitCounters[pair])
                            .pausing(callPauseNanos)));
      }
    }
    List<GuestReceive> before = receives;
    List<GuestTransmit> senders = transmits;
    transmits = List.copyOf(nextTransmits);
    receives = List.copyOf(nextReceives);
    sink.use(receives);
    bridge.portsChanged(
        () -> {
          // Calls that were held back, or of a worker that was between an offer and its flush.
          before.stream()
              .filter(ring -> !receives.contains(ring))
              .forEach(GuestReceive::callAtLast);
          senders.stream()
              .filter(ring -> !transmits.contains(ring))
              .forEach(GuestTransmit::callAtLast);
        });
    abandoned.set(false);
    if (state.rings().isEmpty()) {
      bridge.forgetAddresses(this);
    }
  }

  private static <T> Optional<T> find(List<T> list, Predicate<T> wanted) {
    return list.stream().filter(wanted).findFirst();
  }

  @Override
  public void announce(long macAddress48) {
    announcements.announce(macAddress48);
  }

  @Override
  List<Source> sources() {
    List<Source> sources = new ArrayList<>(transmits);
    sources.add(announcements);
    return sources;
  }

  @Override
  int busySources() {
    return transmitCounters.length;
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  boolean memoryVanished() {
    VhostUserBackend known = backend;
    return known != null && (abandoned.get() || known.ownsFaultedMemory());
  }

  @Override
  boolean abandonMemory() {
    VhostUserBackend known = backend;
    if (known != null && abandoned.compareAndSet(false, true)) {
      known.memoryVanished();
    }
    return known != null;
  }

  @Override
  PortStatus status(int macAddresses) {
    VhostUserBackend known = backend;
    List<QueueStatus> queues = new ArrayList<>();
    for (int pair = 0; pair < receiveCounters.length; pair++) {
      queues.add(receiveCounters[pair].status());
      queues.add(transmitCounters[pair].status());
    }
    addIfUsed(queues, portCounters);
    addIfUsed(queues, announceCounters);
    Optional<BackendStatus> vhost = Optional.ofNullable(known).map(VhostUserBackend::status);
    String state = vhost.map(BackendStatus::text).orElse("not attached");
    return new PortStatus(name(), "vhost", state, macAddresses, queues, vhost, Optional.empty());
  }

  private static void addIfUsed(List<QueueStatus> queues, QueueCounters counters) {
    QueueStatus status = counters.status();
    if (status.frames() + status.dropped() > 0) {
      queues.add(status);
    }
  }

  @Override
  public void close() {
    VhostUserBackend known = backend;
    if (known != null) {
      known.close();
    }
    announcements.close();
  }
}
