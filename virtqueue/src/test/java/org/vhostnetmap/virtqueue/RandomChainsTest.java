// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** T-xlat: no chain over no layout of memory is read otherwise than the documents say. */
class RandomChainsTest {
  private static final int LAYOUTS = 3000;
  private static final int CHAINS = 60;

  @Test
  void readsRandomChainsOverRandomMemoryAsTheModelDoes() {
    int faults = 0;
    for (long seed = 0; seed < LAYOUTS; seed++) {
      try (RandomChains chains = new RandomChains(seed)) {
        faults += chains.run(CHAINS);
      } catch (AssertionError e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
    int all = LAYOUTS * CHAINS;
    assertTrue(faults > all / 5 && faults < all * 4 / 5, "a fair mix: " + faults + " of " + all);
  }
}
