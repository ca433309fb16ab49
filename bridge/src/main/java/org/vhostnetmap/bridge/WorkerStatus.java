// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

/**
 * A worker at a moment.
 *
 * @param name of its thread
 * @param cpu the processor it is bound to, or -1 for any
 * @param sources that it looks after and that may be busy
 * @param polls times it looked into a source
 * @param emptyPolls of these, the times it found nothing
 * @param sleeps times it had nothing to poll and slept
 * @param busyNanos nanoseconds it spent in rounds that moved frames
 */
public record WorkerStatus(
    String name, int cpu, int sources, long polls, long emptyPolls, long sleeps, long busyNanos) {}
