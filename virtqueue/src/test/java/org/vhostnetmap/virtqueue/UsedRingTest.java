// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.GuestFault.Reason;
import org.vhostnetmap.virtqueue.TestRing.Options;

/** What the driver sees of our work (virtio 1.3, 2.7.8), and where the indexes begin. */
class UsedRingTest {
  private static byte[] usedRing(TestRing ring) {
    byte[] bytes = new byte[(int) SplitLayout.usedRingBytes(ring.split().size())];
    Memory.copyToArray(ring.split().host(ring.split().usedRing()), bytes, 0, bytes.length);
    return bytes;
  }

  @Test
  void holdsHeadAndBytesWrittenInLittleEndianAndNothingElseChanges() throws GuestFault {
    try (TestRing ring =
        new TestRing(Options.split(4).direction(Direction.WRITABLE).startingAt(0xfffe))) {
      Memory.fill(ring.split().host(ring.split().usedRing()), SplitLayout.usedRingBytes(4), 0x5a);
      Memory.putShort(ring.split().host(ring.split().usedRing()) + 2, 0xfffe);
      Virtqueue queue = ring.takeOver(0xfffe);
      for (int head : new int[] {3, 0, 2}) {
        ring.split().descriptor(head, ring.split().arena(), 1 << 19, 2, 0);
        ring.split().available(head);
      }
      assertEquals(3, queue.peek(ring.chains, 8));
      ring.chains.written[0] = 0x01020304;
      ring.chains.written[1] = 0;
      ring.chains.written[2] = 0x80000001;
      queue.complete(ring.chains, 3);
      assertEquals(0xfffe, ring.split().usedIndex(), "not before publish");
      queue.publish();
      byte[] expected = new byte[4 + 4 * 8 + 2];
      Arrays.fill(expected, (byte) 0x5a);
      put(expected, 2, 1, 0); // le16 idx: 0xfffe + 3
      put(expected, 4 + 8 * 2, 3, 0, 0, 0, 4, 3, 2, 1);
      put(expected, 4 + 8 * 3, 0, 0, 0, 0, 0, 0, 0, 0);
      put(expected, 4, 2, 0, 0, 0, 1, 0, 0, 0x80);
      assertArrayEquals(expected, usedRing(ring));
    }
  }

  private static void put(byte[] where, int offset, int... values) {
    for (int value : values) {
      where[offset++] = (byte) value;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 0x4000, 0x8000, 0xffff})
  void rejectsBaseThatTheRingNeverReached(int stale) {
    try (TestRing ring = TestRing.of(8)) {
      Virtqueue queue = ring.takeOver(stale);
      assertEquals(stale == 0xffff ? null : Reason.AVAILABLE_INDEX, faultOf(queue, new Chains()));
    }
  }

  private static @org.jspecify.annotations.Nullable Reason faultOf(Virtqueue queue, Chains chains) {
    try {
      queue.peek(chains, 1);
      return null;
    } catch (GuestFault fault) {
      return fault.reason();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 16, 256, 32768})
  void keepsOrderAndContentsAcrossTheWrapOfAllIndexes(int size) throws GuestFault {
    try (TestRing ring = new TestRing(Options.split(size).startingAt(0xfff0))) {
      int sent = 0;
      int received = 0;
      while (received < 70_000) {
        while (ring.split().freeDescriptors() > 0 && sent - received < 200) {
          ring.split().send(new byte[] {(byte) sent, (byte) (sent >> 8)});
          sent++;
        }
        int count = ring.peek();
        for (int i = 0; i < count; i++) {
          byte[] bytes = ring.bytes(i);
          assertEquals((received + i) & 0xffff, (bytes[0] & 0xff) | (bytes[1] & 0xff) << 8);
        }
        int[] heads = Arrays.copyOf(ring.chains.head, count);
        ring.finish(count);
        for (int head : heads) {
          assertEquals(new Used(head, 0), ring.split().takeUsed());
        }
        received += count;
        assertEquals((0xfff0 + received) & 0xffff, ring.queue.base());
        assertEquals((0xfff0 + received) & 0xffff, ring.queue.usedIndex());
      }
    }
  }
}
