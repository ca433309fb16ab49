// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;

/** Frames through switches, pipes and monitors cost the heap nothing. */
final class SwitchAllocationTest {
  private static final int ROUNDS = 5_000;
  private static final int BURST = 32;

  @ParameterizedTest
  @CsvSource({
    "vale0:a, vale0:b, 0, 0",
    "vale0:a, vale0:b, 12, 0",
    "vale0:a, vale0:b, 0, 0x100",
    "p{1, p}1, 0, 0",
    "p{1, p}1, 0, 0x400"
  })
  void framesAllocateNothing(String from, String to, int header, String monitor) throws Exception {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    NetmapDevice device = Netmap.emulated();
    long flags = Long.decode(monitor);
    try (NetmapPort sender = device.register(RegisterRequest.of(from));
        NetmapPort receiver = device.register(RegisterRequest.of(to));
        NetmapPort look =
            device.register(
                flags == 0
                    ? RegisterRequest.of("vale1:none")
                    : RegisterRequest.of(from).withFlags(flags))) {
      if (header > 0) {
        device.setHeaderLength(from, header);
      }
      carry(sender, receiver, look);
      long before = threads.getCurrentThreadAllocatedBytes();
      carry(sender, receiver, look);
      double perFrame =
          (threads.getCurrentThreadAllocatedBytes() - before) / (double) (ROUNDS * BURST);
      assertTrue(perFrame < 0.5, perFrame + " bytes per frame");
    }
  }

  private static void carry(NetmapPort sender, NetmapPort receiver, NetmapPort look) {
    NetmapRing out = sender.txRings().getFirst();
    NetmapRing in = receiver.rxRings().getFirst();
    NetmapRing seen = look.rxRings().getFirst();
    for (int round = 0; round < ROUNDS; round++) {
      int slot = out.head();
      for (int i = Math.min(BURST, out.space()); i > 0; i--) {
        write(out.buffer(slot));
        out.set(slot, 100, 0);
        slot = out.after(slot, 1);
      }
      out.advanceTo(slot);
      sender.txSync();
      receiver.rxSync();
      in.advanceTo(in.tail());
      receiver.rxSync();
      sender.txSync();
      look.rxSync();
      seen.advanceTo(seen.tail());
    }
  }

  /** Read with a header before it this asks for a checksum; read without it is a broadcast. */
  private static void write(long buffer) {
    Memory.fill(buffer, 100, 0xff);
    Memory.putLong(buffer, 0x000e_0000_0000_0001L);
    Memory.putInt(buffer + 8, 16);
    Memory.putInt(buffer + 16, NetmapAbi.RING_BYTES);
  }
}
