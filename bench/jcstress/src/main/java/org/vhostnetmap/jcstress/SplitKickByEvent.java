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

/**
 * The device goes to sleep while the driver adds a chain, with event index (virtio 1.3, 2.7.7.2,
 * 2.7.10).
 */
@JCStressTest
@Description("The device sees the new chain, or the driver sees that it is to kick.")
@Outcome(id = "true, true", expect = ACCEPTABLE, desc = "Both see each other: a kick too many.")
@Outcome(
    id = "true, false",
    expect = ACCEPTABLE,
    desc = "The device sees the chain and does not sleep.")
@Outcome(id = "false, true", expect = ACCEPTABLE, desc = "The device sleeps and is kicked.")
@Outcome(
    id = "false, false",
    expect = FORBIDDEN,
    desc = "Lost wake-up: the device sleeps and nobody kicks.")
@State
public class SplitKickByEvent extends SplitStressRing {
  /** A ring with nothing available and a device that is awake. */
  public SplitKickByEvent() {
    super(Direction.READABLE, true, 0);
  }

  /** Goes to sleep unless there is something to do. */
  @Actor
  public void device(ZZ_Result result) {
    result.r1 = wantKicks();
  }

  /** Adds a chain. */
  @Actor
  public void driver(ZZ_Result result) {
    result.r2 = driverAdds(1, BUFFER_BYTES);
  }
}
