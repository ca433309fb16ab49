// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapRing;

/** A sync leaves nothing for the garbage collector, and neither does sleeping. */
final class SyncAllocationTest {
  private static final int CALLS = 200_000;

  private static void repeat(EmulatedPort port, NetmapRing out, NetmapRing in) {
    for (int i = 0; i < CALLS; i++) {
      out.set(out.head(), 60, 0);
      out.advanceTo(out.after(out.head(), 1));
      port.txSync();
      port.arm();
      port.rxSync();
      port.disarm();
      in.advanceTo(in.tail());
    }
  }

  @Test
  void syncsForNothing() throws NetmapException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (EmulatedPort port = new LoopDevice(LoopDevice.ONE_PAIR).open("loop")) {
      NetmapRing out = port.txRings().getFirst();
      NetmapRing in = port.rxRings().getFirst();
      repeat(port, out, in);
      long before = threads.getCurrentThreadAllocatedBytes();
      repeat(port, out, in);
      double perRound = (threads.getCurrentThreadAllocatedBytes() - before) / (double) CALLS;
      assertTrue(perRound < 1, perRound + " bytes per round");
    }
  }
}
