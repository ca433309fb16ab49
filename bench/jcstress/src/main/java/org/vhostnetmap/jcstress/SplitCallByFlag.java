// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jcstress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Description;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;
import org.vhostnetmap.virtqueue.Direction;

/** The driver goes to sleep while the device uses a chain, with flags (virtio 1.3, 2.7.7). */
@JCStressTest
@Description("The driver sees the used chain, or the device sees that it is to call.")
@Outcome(id = "true, true", expect = ACCEPTABLE, desc = "Both see each other: a call too many.")
@Outcome(
    id = "true, false",
    expect = ACCEPTABLE,
    desc = "The driver sees the chain and does not sleep.")
@Outcome(id = "false, true", expect = ACCEPTABLE, desc = "The driver sleeps and is called.")
@Outcome(
    id = "false, false",
    expect = FORBIDDEN,
    desc = "Lost wake-up: the driver sleeps and nobody calls.")
@State
public class SplitCallByFlag extends SplitStressRing {
  /** A ring with one chain available and a driver that is awake. */
  public SplitCallByFlag() {
    super(Direction.WRITABLE, false, 1);
  }

  /** Goes to sleep unless the chain was used. */
  @Actor
  public void driver(ZZ_Result result) {
    driverWantsCalls(true);
    result.r1 = usedIndex() == 2;
  }

  /** Uses the chain. */
  @Actor
  public void device(ZZ_Result result) {
    result.r2 = give(take());
  }
}
