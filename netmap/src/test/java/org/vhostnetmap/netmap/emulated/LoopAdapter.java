// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapException;

/**
 * A port whose every TX ring leads into the RX ring of the same number, by swapping buffers. It
 * writes down what it is asked for and fails where it is told to.
 */
final class LoopAdapter extends Adapter {
  enum Step {
    CONFIG,
    KRINGS,
    TABLE,
    REGISTER
  }

  final List<String> calls = new ArrayList<>();
  private final Config config;
  @Nullable Step failing;
  @Nullable String failure;
  boolean destroyed;
  boolean brokenWhenOff;
  int ways = 1;

  LoopAdapter(String name, Pool memory, Config config) {
    super(name, memory);
    this.config = config;
  }

  private void ask(Step step, String call) throws NetmapException {
    if (failing == step) {
      throw new NetmapException(step + " is told to fail", Errno.EIO);
    }
    calls.add(call);
  }

  @Override
  protected Config config() throws NetmapException {
    ask(Step.CONFIG, "config");
    return config;
  }

  @Override
  protected void createKrings() throws NetmapException {
    ask(Step.KRINGS, "+krings");
    super.createKrings();
  }

  @Override
  protected void deleteKrings() {
    calls.add("-krings");
    super.deleteKrings();
  }

  @Override
  protected void takeBufferTable() throws NetmapException {
    ask(Step.TABLE, "+table");
  }

  @Override
  protected void dropBufferTable() {
    calls.add("-table");
  }

  @Override
  protected void register(boolean on) throws NetmapException {
    StringBuilder switched = new StringBuilder(on ? "on" : "off");
    for (Kring[] krings : new Kring[][] {txKrings, rxKrings}) {
      for (Kring kring : krings) {
        if (kring.mode != kring.pendingMode) {
          switched.append(' ').append(kring.tx ? 't' : 'r').append(kring.id);
        }
      }
    }
    if (on) {
      ask(Step.REGISTER, switched.toString());
    } else {
      if (brokenWhenOff) {
        throw new IllegalStateException("told to break");
      }
      calls.add(switched.toString());
    }
  }

  @Override
  protected void txSync(Kring kring) {
    Kring to = rxKrings[kring.id % rxKrings.length];
    synchronized (to) {
      while (kring.hwcur != kring.rhead) {
        if (to.mode == Kring.Mode.ON && to.room() > 0 && kring.data(kring.hwcur) != 0) {
          kring.swapBuffers(kring.hwcur, to, to.hwtail);
          to.setSlot(to.hwtail, kring.length(kring.hwcur), 0);
          to.hwtail = to.next(to.hwtail);
        } else {
          kring.drop(kring.data(kring.hwcur) == 0 ? DropReason.NO_BUFFER : DropReason.RING_FULL, 1);
        }
        kring.hwcur = kring.next(kring.hwcur);
      }
    }
    kring.hwtail = (kring.hwcur + kring.slots - 1) % kring.slots;
    to.notifyUsers();
  }

  @Override
  protected void rxSync(Kring kring) {
    kring.hwcur = kring.rhead;
  }

  @Override
  protected @Nullable String failure() {
    return failure;
  }

  @Override
  protected boolean fallBack(NetmapException why) {
    if (--ways > 0) {
      failing = null;
      return true;
    }
    return false;
  }

  @Override
  protected void destroy() {
    destroyed = true;
  }

  /** Writes a frame of {@code length} times {@code value} into a slot's buffer. */
  static void fill(long buffer, int length, int value) {
    Memory.fill(buffer, length, value);
  }
}
