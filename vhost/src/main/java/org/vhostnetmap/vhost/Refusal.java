// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

/**
 * A request that can't be done as asked; nothing was changed. The front-end is told by a non-zero
 * acknowledgement; one that did not ask for it would go on in a wrong belief, and is dropped.
 */
final class Refusal extends Exception {
  private static final long serialVersionUID = 1L;

  private final boolean visible;

  Refusal(String why) {
    this(why, false);
  }

  /**
   * {@code visible}: the front-end sees it even without an acknowledgement, in the status byte or
   * by a broken ring.
   */
  Refusal(String why, boolean visible) {
    super(why, null, false, false);
    this.visible = visible;
  }

  boolean isVisible() {
    return visible;
  }
}
