// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jcstress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.virtqueue.Direction;

/** Device to driver: data, then used element, then used index (virtio 1.3, 2.7.8.2). */
@JCStressTest
@Description("Who sees the used index sees the used element and the data.")
@Outcome(
    id = "0, 0, 0",
    expect = ACCEPTABLE,
    desc = "The driver looked before the index was published.")
@Outcome(
    id = "1, 8, 42",
    expect = ACCEPTABLE,
    desc = "The driver sees the index, the element and the data.")
@Outcome(expect = FORBIDDEN, desc = "The index was seen before what it stands for.")
@State
public class SplitUsedIsPublished extends SplitStressRing {
  /** A ring with one chain available. */
  public SplitUsedIsPublished() {
    super(Direction.WRITABLE, true, 1);
  }

  /** Uses the chain. */
  @Actor
  public void device() {
    long taken = take();
    Memory.putLong(buffer(), DATA);
    give(taken);
  }

  /** Looks whether it was used. */
  @Actor
  public void driver(III_Result seen) {
    if (usedIndex() == 2) {
      seen.r1 = 1;
      seen.r2 = usedLength(1);
      seen.r3 = (int) Memory.getLong(buffer());
    }
  }
}
