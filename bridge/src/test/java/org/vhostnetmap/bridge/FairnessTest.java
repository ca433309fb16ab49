// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.frame;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver;

/** A guest that sends all it can, on the same worker as one that sends little. */
final class FairnessTest {
  private static final int LONGEST = 65_000;

  /** One guest's transmitq is never empty: frames of 64 KiB, in this many descriptors each. */
  @ParameterizedTest
  @ValueSource(ints = {1, 16, 250})
  void aGuestThatSendsOfTheLongestFramesDoesNotStarveOneThatSendsShortOnes(int pieces)
      throws Exception {
    try (Lan lan = new Lan()) {
      Guest greedy = lan.guest(1);
      Guest modest = lan.guest(1);
      lan.add(new NullPort("null:")).start();
      greedy.up();
      modest.up();
      AtomicBoolean over = new AtomicBoolean();
      Thread thread = Thread.ofPlatform().start(() -> flood(greedy, pieces, over));
      try {
        Lan.await("a flood", () -> lan.queue(greedy.name, "tx0").frames() > 10);
        long[] took = new long[500];
        for (int n = 0; n < took.length; n++) {
          int before = modest.transmitRing(0).usedIndex();
          long start = System.nanoTime();
          modest.send(frame(mac(9), mac(1), 60, n));
          Lan.await("its turn", () -> modest.transmitRing(0).usedIndex() != before);
          took[n] = System.nanoTime() - start;
        }
        Arrays.sort(took);
        long median = took[took.length / 2] / 1000;
        assertTrue(median < 2_000, "a frame waited for " + median + " us");
      } finally {
        over.set(true);
        thread.join();
      }
    }
  }

  /** The same chains again and again, without writing anything but the available ring. */
  private static void flood(Guest guest, int pieces, AtomicBoolean over) {
    FakeDriver ring = guest.transmitRing(0);
    int heads = ring.size() / pieces;
    int part = (LONGEST + pieces - 1) / pieces;
    long buffer = ring.buffer(part);
    for (int head = 0; head < heads; head++) {
      for (int piece = 0; piece < pieces; piece++) {
        int index = head * pieces + piece;
        boolean last = piece == pieces - 1;
        ring.descriptor(index, buffer, part, last ? 0 : FakeDriver.NEXT, last ? 0 : index + 1);
      }
    }
    int sent = ring.availableIndex();
    while (!over.get()) {
      int before = ring.availableIndex();
      while (((sent - ring.usedIndex()) & 0xffff) < heads) {
        ring.available(sent % heads * pieces);
        sent = (sent + 1) & 0xffff;
      }
      if (ring.availableIndex() != before) {
        guest.kickIfNeeded(1, before);
      }
    }
  }
}
