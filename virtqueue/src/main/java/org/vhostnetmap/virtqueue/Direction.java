// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

/** Which way the buffers of a queue go; a chain of the other way is a {@link GuestFault}. */
public enum Direction {
  /** Device-readable only, as a transmitq. */
  READABLE,
  /** Device-writable only, as a receiveq. */
  WRITABLE,
  /** Readable, then writable, as the queues of a block device. */
  MIXED
}
