// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;

/**
 * The whole bridge at a moment, with all workers at rest between two bursts, so that the numbers
 * add up exactly.
 *
 * @param ports in the order they were added
 * @param workers the threads that move frames
 * @param floodCopies deliveries that flooding added beyond the first of each flooded frame
 * @param macMoves times a learned address turned up at another port
 * @param macRefusals addresses not learned because their port has its quota and none of its own is
 *     older
 */
public record BridgeStatus(
    List<PortStatus> ports,
    List<WorkerStatus> workers,
    long floodCopies,
    long macMoves,
    long macRefusals) {
  /** Makes the lists unmodifiable. */
  public BridgeStatus {
    ports = List.copyOf(ports);
    workers = List.copyOf(workers);
  }

  /** Frames received by all ports. */
  public long received() {
    return sum(true, QueueStatus::frames);
  }

  /** Frames delivered by all ports; a flooded frame counts once for each port it reached. */
  public long delivered() {
    return sum(false, QueueStatus::frames);
  }

  /** Frames dropped, at either side. */
  public long dropped() {
    return sum(true, QueueStatus::dropped) + sum(false, QueueStatus::dropped);
  }

  /** Frames that came and went without being counted: 0, always. */
  public long unexplained() {
    return received() + floodCopies - delivered() - dropped();
  }

  private long sum(boolean source, java.util.function.ToLongFunction<QueueStatus> what) {
    return ports.stream()
        .flatMap(port -> port.queues().stream())
        .filter(queue -> queue.source() == source)
        .mapToLong(what)
        .sum();
  }
}
