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

/**
 * Driver to device: data and all descriptors but the first, then the first (virtio 1.3, 2.8.21).
 */
@JCStressTest
@Description(
    "Who sees the first available descriptor's flags sees its length, those behind it and the data.")
@Outcome(
    id = "0, 0, 0",
    expect = ACCEPTABLE,
    desc = "The device looked before the first was published.")
@Outcome(id = "2, 16, 42", expect = ACCEPTABLE, desc = "The device sees both chains and the data.")
@Outcome(expect = FORBIDDEN, desc = "The flags were seen before what they stand for.")
@State
public class PackedAvailableIsPublished extends PackedStressRing {
  /** A ring with nothing available. */
  public PackedAvailableIsPublished() {
    super(Direction.READABLE, true, 0);
  }

  /** Adds two chains. */
  @Actor
  public void driver() {
    Memory.putLong(buffer(), DATA);
    driverAdds(1, 2, BUFFER_BYTES);
  }

  /** Takes them if they are there. */
  @Actor
  public void device(III_Result seen) {
    long taken = take();
    if (taken != 0) {
      seen.r1 = (int) (taken >>> 32);
      seen.r2 = (int) taken;
      seen.r3 = (int) Memory.getLong(buffer());
    }
  }
}
