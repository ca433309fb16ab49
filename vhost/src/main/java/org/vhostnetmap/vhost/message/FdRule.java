// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

/** How many file descriptors a request brings. What it brings beyond that is closed. */
public enum FdRule {
  /** None. Strays are closed, and the request is served all the same. */
  NONE,
  /** Exactly one. */
  ONE,
  /** One, or none when bit 8 of the payload is set: the other side polls. */
  ONE_UNLESS_FLAGGED,
  /** One for each memory region, in the regions' order. */
  PER_REGION
}
