// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.Adapter;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * An ephemeral port of a switch: it is there while somebody has it open. Its TX rings send into the
 * switch and are empty after every sync, whatever became of the frames; its RX rings are filled by
 * the senders.
 */
final class VirtualPort extends Adapter {
  private final ValeSwitch bridge;
  private final Config config;
  private final Place place;
  private final Consumer<VirtualPort> leaving;

  private Batch[] batches = new Batch[0];

  /**
   * A port, not yet in its switch.
   *
   * @param leaving what is to be done when its last user is gone
   */
  VirtualPort(
      String name, Pool memory, ValeSwitch bridge, Config config, Consumer<VirtualPort> leaving) {
    super(name, memory);
    this.bridge = bridge;
    this.config = config;
    this.leaving = leaving;
    place = new Place(name);
  }

  /** Its place in the switch, where frames for it come in. */
  private static final class Place extends SwitchPort {
    private final Nowhere nowhere = new Nowhere(this);
    private volatile KringOutlet[] outlets = new KringOutlet[0];

    Place(String name) {
      super(name);
    }

    @Override
    int outlets() {
      return outlets.length;
    }

    @Override
    Outlet outlet(int ring) {
      KringOutlet[] now = outlets;
      return ring < now.length ? now[ring] : nowhere;
    }
  }

  SwitchPort place() {
    return place;
  }

  ValeSwitch bridge() {
    return bridge;
  }

  @Override
  protected Config config() {
    return config;
  }

  @Override
  protected int headerLength() {
    return place.headerLength();
  }

  @Override
  protected void register(boolean on) {
    if (batches.length == 0) {
      makeBatches();
    }
    for (int i = 0; i < rxKrings.length; i++) {
      place.outlets[i].setOpen(rxKrings[i].pendingMode == Kring.Mode.ON && rxKrings[i].ring != 0);
    }
  }

  private void makeBatches() {
    KringOutlet[] outlets = new KringOutlet[rxKrings.length];
    for (int i = 0; i < outlets.length; i++) {
      outlets[i] = new KringOutlet(place, rxKrings[i]);
    }
    place.outlets = outlets;
    batches = new Batch[txKrings.length];
    for (int i = 0; i < batches.length; i++) {
      Kring kring = txKrings[i];
      batches[i] = new Batch(place, i, kring.slots, memory().usableBytes(), kring::drop);
    }
  }

  @Override
  protected void deleteKrings() {
    super.deleteKrings();
    batches = new Batch[0];
    place.outlets = new KringOutlet[0];
  }

  @Override
  protected void destroy() {
    leaving.accept(this);
  }

  @Override
  protected void txSync(Kring kring) {
    Batch batch = batches[kring.id];
    int head = kring.rhead;
    @Nullable DropReason wrong = null;
    for (int slot = kring.hwcur; slot != head; slot = kring.next(slot)) {
      long data = kring.data(slot);
      int length = kring.length(slot);
      int flags = kring.flags(slot);
      if ((flags & NetmapAbi.NS_BUF_CHANGED) != 0) {
        Memory.putShort(kring.slot(slot) + NetmapAbi.SLOT_FLAGS, flags & ~NetmapAbi.NS_BUF_CHANGED);
      }
      if (data == 0) {
        wrong = DropReason.NO_BUFFER;
      } else if (length > kring.usableBytes()) {
        wrong = DropReason.TOO_LONG;
      } else {
        batch.addPiece(data, length);
      }
      if ((flags & NetmapAbi.NS_MOREFRAG) == 0) {
        if (wrong == null) {
          batch.endFrame();
        } else {
          batch.dropFrame(wrong);
          wrong = null;
        }
        if (batch.isFull()) {
          batch.forward(bridge);
        }
      }
    }
    finish(batch, wrong);
    kring.hwcur = head;
    kring.hwtail = head == 0 ? kring.slots - 1 : head - 1;
  }

  /** A frame without an end goes as far as it is, as netmap has it. */
  private void finish(Batch batch, @Nullable DropReason wrong) {
    if (wrong != null) {
      batch.dropFrame(wrong);
    } else if (batch.hasOpenFrame()) {
      batch.endFrame();
    }
    batch.forward(bridge);
  }

  @Override
  protected void rxSync(Kring kring) {
    // The senders have filled the ring already.
    kring.hwcur = kring.rhead;
  }
}
