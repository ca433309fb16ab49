// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.bridge.Frames.key;
import static org.vhostnetmap.bridge.Frames.mac;

import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Addresses are learned as IEEE 802.1D learns them, with a ceiling per port. */
final class MacTableTest {
  private final MacTable table = new MacTable(3, 300);

  private static long station(int n) {
    return key(mac(n));
  }

  @Test
  void anAddressIsFoundAtThePortItWasSeenAt() {
    assertEquals(-1, table.lookup(station(1)));
    table.learn(station(1), 2, 0);
    assertEquals(2, table.lookup(station(1)));
    assertEquals(1, table.count(2));
  }

  @Test
  void groupAddressesAndZeroAreNobodys() {
    for (long nobody : new long[] {key(0xffff_ffff_ffffL), key(0x0100_5e00_0001L), 0}) {
      table.learn(nobody, 1, 0);
      assertEquals(-1, table.lookup(nobody));
    }
    assertEquals(0, table.count(1));
    assertTrue(MacTable.isGroup(key(0x3333_0000_0001L)));
    assertFalse(MacTable.isGroup(key(0x0001_0000_0000L)));
  }

  @Test
  void anAddressThatMovesIsCountedAndFoundAtItsNewPort() {
    table.learn(station(1), 0, 0);
    table.learn(station(1), 1, 1);
    table.learn(station(1), 1, 2);
    assertEquals(1, table.lookup(station(1)));
    assertEquals(1, table.moves());
    assertEquals(0, table.count(0));
    assertEquals(1, table.count(1));
  }

  @Test
  void anAddressThatMovesToAFullPortIsNowhereUntilItAgesOrMovesOn() {
    table.learn(station(1), 0, 0);
    for (int n = 0; n < MacTable.QUOTA; n++) {
      table.learn(station(1000 + n), 1, 0);
    }
    table.learn(station(1), 1, 0);
    assertEquals(-1, table.lookup(station(1)), "frames for it still go where it is no more");
    assertEquals(0, table.count(0));
    assertEquals(1, table.refusals());
    table.learn(station(1), 2, 1);
    assertEquals(2, table.lookup(station(1)));
    table.age(1000);
    assertEquals(0, table.count(2));
  }

  @Test
  void whatWasNotSeenForTheAgeingTimeIsForgotten() {
    table.learn(station(1), 0, 0);
    table.learn(station(2), 0, 0);
    table.learn(station(2), 0, 100);
    table.age(299);
    assertEquals(2, table.count(0));
    table.age(300);
    assertEquals(-1, table.lookup(station(1)));
    assertEquals(0, table.lookup(station(2)));
    table.age(400);
    assertEquals(0, table.count(0));
  }

  @Test
  void aFloodOfSourcesEvictsOnlyItsOwn() {
    for (int n = 0; n < 200; n++) {
      table.learn(station(n), 0, 0);
      table.learn(station(1000 + n), 1, 0);
    }
    for (int n = 0; n < 1_000_000; n++) {
      table.learn(station(100_000 + n), 2, n / 10_000);
    }
    for (int n = 0; n < 200; n++) {
      assertEquals(0, table.lookup(station(n)));
      assertEquals(1, table.lookup(station(1000 + n)));
    }
    assertEquals(MacTable.QUOTA, table.count(2));
    assertTrue(table.refusals() > 0);
  }

  @Test
  void inAFullQuotaTheOldestGivesWayAndOneThatIsInUseStays() {
    for (int n = 0; n < MacTable.QUOTA; n++) {
      table.learn(station(n), 0, n);
    }
    table.learn(station(0), 0, 1000);
    table.learn(station(5000), 0, 1000);
    assertEquals(0, table.lookup(station(5000)));
    assertEquals(0, table.lookup(station(0)));
    assertEquals(-1, table.lookup(station(1)));
    assertEquals(0, table.lookup(station(2)));
  }

  @Test
  void anAddressMayMoveIntoAFullQuotaToo() {
    for (int n = 0; n < MacTable.QUOTA; n++) {
      table.learn(station(n), 0, n);
    }
    table.learn(station(9999), 1, 0);
    table.learn(station(9999), 0, 1000);
    assertEquals(0, table.lookup(station(9999)));
    assertEquals(0, table.count(1));
    assertEquals(MacTable.QUOTA, table.count(0));
  }

  @Test
  void aPortCanBeForgotten() {
    table.learn(station(1), 0, 0);
    table.learn(station(2), 1, 0);
    table.forget(0);
    assertEquals(-1, table.lookup(station(1)));
    assertEquals(1, table.lookup(station(2)));
  }

  @Test
  void portsBeyond32767AreFoundAsWell() {
    MacTable large = new MacTable(40_000, 300);
    large.learn(station(1), 39_999, 0);
    large.learn(station(1), 40_000 - 2, 1);
    assertEquals(39_998, large.lookup(station(1)));
    assertEquals(1, large.count(39_998));
    assertEquals(0, large.count(39_999));
  }

  @Test
  void behavesLikeAMapThroughRandomLearningMovingAndAgeing() {
    java.util.Map<Long, int[]> model = new java.util.HashMap<>();
    Random random = new Random(3);
    for (int second = 0; second < 2000; second++) {
      for (int i = 0; i < 5; i++) {
        long mac = station(random.nextInt(200));
        int port = random.nextInt(3);
        table.learn(mac, port, second);
        model.put(mac, new int[] {port, second});
      }
      if (second % 10 == 0) {
        int now = second;
        table.age(now);
        model.values().removeIf(entry -> now - entry[1] >= 300);
      }
      for (int n = 0; n < 200; n++) {
        int[] entry = model.get(station(n));
        assertEquals(entry == null ? -1 : entry[0], table.lookup(station(n)));
      }
    }
  }

  @Test
  void lookupsWithoutALockNeverMissOrMisplaceAnAddressWhileOthersComeAndGo() throws Exception {
    for (int n = 0; n < 100; n++) {
      table.learn(station(n), n % 2, 0);
    }
    AtomicBoolean stop = new AtomicBoolean();
    AtomicLong wrong = new AtomicLong();
    AtomicLong looked = new AtomicLong();
    Thread reader =
        new Thread(
            () -> {
              long n = 0;
              for (; !stop.get(); n++) {
                int station = (int) (n % 100);
                if (table.lookup(station(station)) != station % 2) {
                  wrong.incrementAndGet();
                }
              }
              looked.set(n);
            });
    reader.start();
    long end = System.nanoTime() + 1_000_000_000L;
    for (int second = 1; System.nanoTime() < end; second++) {
      for (int n = 0; n < 300; n++) {
        table.learn(station(1_000_000 + second * 300 + n), 2, second);
      }
      for (int n = 0; n < 100; n++) {
        table.learn(station(n), n % 2, second);
      }
      table.age(second);
      if (second % 7 == 0) {
        table.forget(2);
      }
    }
    stop.set(true);
    reader.join();
    assertEquals(0, wrong.get());
    assertNotEquals(0, looked.get());
  }
}
