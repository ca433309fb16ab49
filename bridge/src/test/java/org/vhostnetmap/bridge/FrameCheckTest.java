// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingMemory;

/** One frame in a thousand that is forgotten is looked at first. */
final class FrameCheckTest {
  /** 10.0.0.1 to 10.0.0.2, UDP with a checksum, "ping!" and a byte of padding. */
  private static final byte[] UDP =
      HexFormat.of()
          .parseHex(
              "020000000002020000000001080045000021000040004011"
                  + "26ca0a0000010a00000200090009000debee70696e672100");

  /** A ring of which one slot is filled, and how its frames are counted. */
  private static final class Ring implements AutoCloseable {
    final RingMemory memory;
    final NetmapRing ring;
    final QueueCounters counters = new QueueCounters("out", false);
    final FrameCheck check;

    Ring() throws Exception {
      memory = new RingMemory(8, 2048);
      ring = memory.ring();
      check = new FrameCheck(ring, counters);
    }

    void put(byte[] frame, int flags) {
      int slot = ring.head();
      Memory.copyFromArray(frame, 0, ring.buffer(slot), frame.length);
      ring.set(slot, frame.length, flags);
      ring.advanceTo(ring.after(slot, 1));
      memory.giveAll();
    }

    @Override
    public void close() {
      memory.close();
    }
  }

  private static byte[] broken(int at) {
    byte[] frame = UDP.clone();
    frame[at] ^= 0x10;
    return frame;
  }

  @Test
  void looksAtOneOfAThousandFrames() throws Exception {
    try (Ring ring = new Ring()) {
      for (int burst = 1; burst <= 500; burst++) {
        ring.counters.frames += 20;
        ring.put(UDP, 0);
        ring.check.beforeSync();
      }
      assertEquals(10, ring.check.checked);
      assertEquals(0, ring.check.wrong);
    }
  }

  @ParameterizedTest(name = "byte {0}")
  @CsvSource({
    "15, 1", // type of service: the header's checksum
    "17, 1", // the packet's length
    "30, 1", // an address
    "42, 1", // data: UDP's checksum
    "46, 1", // the last byte of it
    "47, 0", // padding is nobody's
    "3, 0" // as is the MAC address
  })
  void findsWhatIsWrong(int at, int wrong) throws Exception {
    try (Ring ring = new Ring()) {
      ring.counters.frames = 1000;
      ring.put(broken(at), 0);
      ring.check.beforeSync();
      assertEquals(1, ring.check.checked);
      assertEquals(wrong, ring.check.wrong);
    }
  }

  @Test
  void leavesOutTheMiddleOfAFrameAndWhatIsNotIpv4() throws Exception {
    try (Ring ring = new Ring()) {
      ring.counters.frames = 1000;
      ring.put(UDP, NetmapAbi.NS_MOREFRAG);
      ring.put(broken(30), 0);
      ring.check.beforeSync();
      assertEquals(0, ring.check.checked);
      ring.put(frame(mac(1), mac(2), 60, 7), 0);
      ring.check.beforeSync();
      assertEquals(0, ring.check.checked);
      ring.put(UDP, 0);
      ring.check.beforeSync();
      assertEquals(1, ring.check.checked);
    }
  }

  @Test
  void aPortThatForgetsTellsHowManyItLookedAt() throws Exception {
    try (Lan lan = new Lan()) {
      lan.add(new PktgenPort("pktgen:", 64, 0, 1)).add(new NullPort("null:")).start();
      Pattern told = Pattern.compile("; (\\d+) looked at, 0 with a wrong checksum");
      Lan.await("frames", () -> lan.queue("null:", "out").frames() > 10_000);
      String state = lan.status().ports().get(1).state();
      Matcher matcher = told.matcher(state);
      assertTrue(matcher.find(), state);
      assertTrue(Integer.parseInt(matcher.group(1)) >= 5, state);
    }
  }
}
