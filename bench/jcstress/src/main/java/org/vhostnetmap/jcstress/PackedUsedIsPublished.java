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

/** Device to driver: data and all elements but the first, then the first (virtio 1.3, 2.8.9). */
@JCStressTest
@Description(
    "Who sees the first used descriptor's flags sees its length, those behind it and the data.")
@Outcome(
    id = "0, 0, 0",
    expect = ACCEPTABLE,
    desc = "The driver looked before the first was published.")
@Outcome(
    id = "2, 16, 42",
    expect = ACCEPTABLE,
    desc = "The driver sees both descriptors and the data.")
@Outcome(expect = FORBIDDEN, desc = "The flags were seen before what they stand for.")
@State
public class PackedUsedIsPublished extends PackedStressRing {
  /** A ring with two chains available. */
  public PackedUsedIsPublished() {
    super(Direction.WRITABLE, true, 2);
  }

  /** Uses both chains. */
  @Actor
  public void device() {
    long taken = take();
    Memory.putLong(buffer(), DATA);
    give(taken);
  }

  /** Looks whether they were used. */
  @Actor
  public void driver(III_Result seen) {
    if (isUsed(1)) {
      seen.r1 = isUsed(2) ? 2 : 1;
      seen.r2 = usedLength(1) + usedLength(2);
      seen.r3 = (int) Memory.getLong(buffer());
    }
  }
}
