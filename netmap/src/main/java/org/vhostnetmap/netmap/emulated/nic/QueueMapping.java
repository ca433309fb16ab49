// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * How a received frame's {@code queue_mapping}, as BPF programs see it, tells its hardware queue.
 *
 * @param queues how many hardware queues there are
 * @param veth whether the device is one end of a veth pair
 */
record QueueMapping(int queues, boolean veth) {
  /**
   * Whether frames of these queues are told by what they don't have: the last queue also gets what
   * bears no queue's number, such as after channels were added.
   */
  boolean byExclusion(BitSet some) {
    return some.get(queues - 1);
  }

  /**
   * The values that frames of these queues have; {@link #byExclusion}: those that they don't have.
   */
  int[] values(BitSet some) {
    BitSet listed = (BitSet) some.clone();
    if (byExclusion(some)) {
      listed.flip(0, queues);
    }
    return listed.stream().flatMap(this::values).toArray();
  }

  /**
   * A driver records its queue as queue + 1; what nobody recorded counts as queue 0's. A veth
   * leaves the number of the peer's transmit queue, unless it receives by NAPI: then it records
   * too. Either way each of its queues keeps to one of ours.
   */
  private IntStream values(int queue) {
    if (veth) {
      return queue == 0 ? IntStream.of(0, queues) : IntStream.of(queue);
    }
    return queue == 0 ? IntStream.of(0, 1) : IntStream.of(queue + 1);
  }
}
