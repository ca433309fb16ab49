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

/** Driver to device: data, then descriptor and available entry, then index (virtio 1.3, 2.7.13). */
@JCStressTest
@Description("Who sees the available index sees the descriptor and the data.")
@Outcome(
    id = "0, 0, 0",
    expect = ACCEPTABLE,
    desc = "The device looked before the index was published.")
@Outcome(
    id = "1, 8, 42",
    expect = ACCEPTABLE,
    desc = "The device sees the index, the chain and the data.")
@Outcome(expect = FORBIDDEN, desc = "The index was seen before what it stands for.")
@State
public class SplitAvailableIsPublished extends SplitStressRing {
  /** A ring with nothing available. */
  public SplitAvailableIsPublished() {
    super(Direction.READABLE, true, 0);
  }

  /** Adds a chain. */
  @Actor
  public void driver() {
    Memory.putLong(buffer(), DATA);
    driverAdds(1, BUFFER_BYTES);
  }

  /** Takes it if it is there. */
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
