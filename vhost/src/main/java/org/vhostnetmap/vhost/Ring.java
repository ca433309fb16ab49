// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_EVENT_IDX;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_INDIRECT_DESC;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_IN_ORDER;
import static org.vhostnetmap.vhost.feature.VirtioFeature.VIRTIO_F_RING_PACKED;

import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Notifier;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.VirtioFeature;
import org.vhostnetmap.vhost.message.VringAddress;
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.GuestMemory;
import org.vhostnetmap.virtqueue.RingFormat;
import org.vhostnetmap.virtqueue.Virtqueue;

/**
 * What the front-end has told of one ring, and the ring itself while it runs. Owns the kick, call
 * and err descriptors. Knows nothing of the data plane: {@link Device} sees to it that a descriptor
 * is closed, and a running ring taken away, only after the data plane has let go. Control thread
 * only.
 */
final class Ring {
  private static final long NOT_TOLD = -1;

  private final int index;
  private final Signals signals;
  private int size;
  private long impossibleSize; // what was asked when size is 0
  private @Nullable VringAddress address;
  private long base = NOT_TOLD;
  private boolean started;
  private boolean enabled;

  private @Nullable Notifier kick;
  private @Nullable Notifier call;
  private @Nullable Notifier err;

  private @Nullable Vring running;
  private @Nullable String fault;
  private boolean misplaced; // the fault is where it lies: another memory table may cure it
  private boolean parked; // was disabled while it ran, and not started anew since

  private long faults;
  private long discarded;
  private long calls;
  private int availableIndex;
  private int usedIndex;

  Ring(int index, Signals signals) {
    this.index = index;
    this.signals = signals;
  }

  int index() {
    return index;
  }

  boolean isRunning() {
    return running != null;
  }

  /** Whether the data plane should have it. */
  boolean isWanted() {
    return started && enabled && fault == null;
  }

  /** Where to go on, as GET_VRING_BASE answers, 32 bits; of a ring that does not run. */
  long base(FeatureSet<VirtioFeature> features) {
    RingFormat format = format(features);
    if (base == NOT_TOLD) {
      return format.firstBase();
    }
    return format == RingFormat.SPLIT ? base & 0xffff : base;
  }

  static RingFormat format(FeatureSet<VirtioFeature> features) {
    return features.has(VIRTIO_F_RING_PACKED) ? RingFormat.PACKED : RingFormat.SPLIT;
  }

  /** Why a ring can't have this size. */
  static String impossible(long entries, RingFormat format) {
    return "size " + entries + " is not " + format.sizes();
  }

  /**
   * Any number; with an impossible one the ring breaks when it starts. Only then it is known for
   * sure which format it has.
   */
  void size(long entries) {
    boolean possible = RingFormat.PACKED.isSize(entries);
    size = possible ? (int) entries : 0;
    impossibleSize = possible ? 0 : entries;
    started = false;
  }

  /** 32 bits, of which a split ring takes the lower half. */
  void base(long told) {
    base = told;
    started = false;
  }

  /** As if no base had been told. */
  void forgetBase() {
    base(NOT_TOLD);
  }

  /**
   * Nothing happens when the ring stays where it is: QEMU sends the addresses again, to turn the
   * dirty log on.
   */
  void address(VringAddress place) {
    if (!isAt(place)) {
      started = false;
    }
    address = place;
  }

  boolean isAt(VringAddress place) {
    return address != null && address.samePlace(place);
  }

  void enabled(boolean on) {
    enabled = on;
  }

  /**
   * SET_VRING_KICK starts the ring, kick or no kick: one may have come before, or got lost. Heals a
   * fault.
   */
  void start(@Nullable Notifier newKick) {
    replaceKick(newKick);
    started = true;
    parked = false;
    heal();
  }

  void heal() {
    fault = null;
    misplaced = false;
  }

  void healIfMisplaced() {
    if (misplaced) {
      heal();
    }
  }

  /**
   * The device was reset: nothing is touched until the next start, but the index stays for
   * GET_VRING_BASE.
   */
  void reset() {
    started = false;
    parked = false;
    heal();
  }

  /** GET_VRING_BASE: forgets all that the next start tells again. */
  void stop() {
    reset();
    size = 0;
    impossibleSize = 0;
    address = null;
    replaceKick(null);
    replaceCall(null);
  }

  private void replaceKick(@Nullable Notifier fd) {
    close(kick);
    kick = fd;
  }

  /** Puts {@code fd} in the call descriptor's place under a running ring, if their kinds allow. */
  boolean swapCall(@Nullable Notifier fd) {
    return call != null && fd != null && call.becomes(fd);
  }

  /** The data plane has let go of the ring. */
  void replaceCall(@Nullable Notifier fd) {
    close(call);
    call = fd;
  }

  void replaceErr(@Nullable Notifier fd) {
    close(err);
    err = fd;
  }

  private static void close(@Nullable Notifier fd) {
    if (fd != null) {
      fd.close();
    }
  }

  /**
   * Makes the ring ready for the data plane. Null when it can't run; then it is broken, with a
   * reason.
   */
  @Nullable Vring run(
      FeatureSet<VirtioFeature> features,
      GuestMemory memory,
      BiConsumer<Vring, GuestFault> onFault) {
    if (running != null) {
      return running;
    }
    Virtqueue queue = open(features, memory);
    if (queue == null) {
      return null;
    }
    if (parked && !Vring.isReceive(index)) {
      discard(queue);
    }
    parked = false;
    if (fault == null) {
      running = new Vring(index, queue, kick, call, signals, onFault);
    }
    return running;
  }

  private @Nullable Virtqueue open(FeatureSet<VirtioFeature> features, GuestMemory memory) {
    VringAddress place = address;
    RingFormat format = format(features);
    if (impossibleSize != 0 || (size != 0 && !format.isSize(size))) {
      breaks(impossible(Math.max(impossibleSize, size), format));
      return null;
    }
    if (size == 0 || place == null) {
      breaks("started without " + (size == 0 ? "a size" : "addresses"));
      return null;
    }
    if (memory.regions().isEmpty()) {
      breaks(
          "the front-end shared no memory (QEMU: -object memory-backend-memfd,id=m,size=...,share=on -machine memory-backend=m)");
      misplaced = true;
      return null;
    }
    int start = (int) base(features);
    if (!format.isBase(start, size)) {
      breaks("base 0x" + Integer.toHexString(start) + " is outside a ring of " + size);
      return null;
    }
    return open(features, format, memory, place, start);
  }

  private @Nullable Virtqueue open(
      FeatureSet<VirtioFeature> features,
      RingFormat format,
      GuestMemory memory,
      VringAddress place,
      int start) {
    // SET_VRING_ADDR has the words of a split ring for the three areas of either format.
    long descriptorArea =
        memory.translateFrontend(place.descriptor(), format.descriptorAreaBytes(size));
    long driverArea = memory.translateFrontend(place.available(), format.driverAreaBytes(size));
    long deviceArea = memory.translateFrontend(place.used(), format.deviceAreaBytes(size));
    if (descriptorArea == 0 || driverArea == 0 || deviceArea == 0) {
      breaks("not wholly inside one memory region: " + describe(place));
      misplaced = true;
      return null;
    }
    // Host pages keep the alignment of the front-end's, but a region may begin anywhere.
    if (!format.isAligned(descriptorArea, driverArea, deviceArea)) {
      breaks("not aligned to " + format.alignments() + " bytes: " + describe(place));
      misplaced = true;
      return null;
    }
    return Virtqueue.open(
        new Virtqueue.Setup(
            format,
            size,
            descriptorArea,
            driverArea,
            deviceArea,
            start,
            Vring.isReceive(index) ? Direction.WRITABLE : Direction.READABLE,
            features.has(VIRTIO_F_EVENT_IDX),
            features.has(VIRTIO_F_INDIRECT_DESC),
            features.has(VIRTIO_F_IN_ORDER)),
        memory);
  }

  private String describe(VringAddress place) {
    return "descriptors 0x%x available 0x%x used 0x%x size %d"
        .formatted(place.descriptor(), place.available(), place.used(), size);
  }

  /**
   * What the guest sent while its transmit ring was disabled goes nowhere. At most one ringful: it
   * may go on sending.
   */
  private void discard(Virtqueue queue) {
    Chains chains = new Chains();
    int left = size;
    try {
      while (left > 0 && queue.peek(chains, left) > 0) {
        left -= chains.count();
        discarded += chains.count();
        queue.complete(chains, chains.count());
        chains.clear();
      }
    } catch (GuestFault e) {
      breaks(e.getMessage());
    } finally {
      if (queue.publishAndAsk()) { // good chains before a bad one are given back all the same
        callOnce();
      }
    }
    keep(queue);
  }

  private void keep(Virtqueue queue) {
    base = Integer.toUnsignedLong(queue.base());
    availableIndex = queue.availableIndex();
    usedIndex = queue.usedIndex();
  }

  /** The data plane has let go of the ring: keep where it stood. */
  void rest() {
    Vring was = running;
    if (was != null) {
      keep(was.queue());
      calls += was.calls();
      parked = started && !enabled;
      running = null;
    }
  }

  boolean isRunning(Vring vring) {
    return running == vring;
  }

  /** Interrupts may have been lost while the descriptors changed: one too many does no harm. */
  void callOnce() {
    signals.send(call, "call", index);
  }

  /** Stops the ring with a reason, until the next start or reset, and tells the front-end. */
  void breaks(@Nullable String why) {
    fault = why == null ? "unknown fault" : why;
    faults++;
    signals.send(err, "err", index);
  }

  /** Closes all descriptors; the data plane has let go. */
  void close() {
    stop();
    replaceErr(null);
  }

  BackendStatus.Ring status() {
    Vring now = running;
    return new BackendStatus.Ring(
        index,
        state(),
        words(),
        size,
        now == null ? availableIndex : now.queue().availableIndex(),
        now == null ? usedIndex : now.queue().usedIndex(),
        kick != null,
        call != null,
        calls + (now == null ? 0 : now.calls()),
        faults,
        discarded,
        fault);
  }

  private BackendStatus.RingState state() {
    if (fault != null) {
      return BackendStatus.RingState.BROKEN;
    }
    if (running != null) {
      return BackendStatus.RingState.RUNNING;
    }
    return started ? BackendStatus.RingState.DISABLED : BackendStatus.RingState.STOPPED;
  }

  /** What it is doing, for people. */
  String words() {
    return switch (state()) {
      case BROKEN -> "ring " + index + " stopped: " + fault;
      case RUNNING -> "ring " + index + " runs";
      case DISABLED -> "ring " + index + " is disabled by the guest";
      case STOPPED -> "ring " + index + " is not started";
    };
  }
}
