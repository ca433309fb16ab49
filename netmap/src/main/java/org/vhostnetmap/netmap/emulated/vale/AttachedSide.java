// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.jspecify.annotations.Nullable;

/**
 * The place of a NIC, or of its host stack, in a switch. It stays while the NIC is away, and takes
 * no frames then.
 */
final class AttachedSide extends SwitchPort {
  private final Nowhere nowhere = new Nowhere(this);
  private volatile @Nullable AttachedRings rings;

  AttachedSide(String name) {
    super(name);
  }

  /** Frames for this place go there now, or nowhere. */
  void use(@Nullable AttachedRings now) {
    rings = now;
  }

  @Override
  int outlets() {
    AttachedRings now = rings;
    return now == null ? 0 : now.outlets();
  }

  @Override
  Outlet outlet(int ring) {
    AttachedRings now = rings;
    return now == null || ring >= now.outlets() ? nowhere : now.outlet(ring);
  }
}
