// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import java.util.Optional;
import org.vhostnetmap.vhost.BackendStatus;

/**
 * A port at a moment.
 *
 * @param name as the user wrote it, such as {@code vhost:/run/vm1.sock}
 * @param kind {@code vhost}, {@code tap}, {@code null}, {@code pktgen}, {@code netmap}
 * @param state in plain words
 * @param macAddresses how many addresses were learned behind it
 * @param queues counters, in a fixed order
 * @param vhost what the vhost-user session knows; empty for other kinds
 * @param netmap what is known of netmap rings; empty for other kinds
 */
public record PortStatus(
    String name,
    String kind,
    String state,
    int macAddresses,
    List<QueueStatus> queues,
    Optional<BackendStatus> vhost,
    Optional<NetmapStatus> netmap) {
  /** Makes the list unmodifiable. */
  public PortStatus {
    queues = List.copyOf(queues);
  }
}
