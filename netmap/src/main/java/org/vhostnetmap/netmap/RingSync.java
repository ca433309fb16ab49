// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/**
 * What NIOCTXSYNC and NIOCRXSYNC do for one ring: takes the slots up to head from the user and
 * moves tail. Called by the thread that walks the ring, while it touches no slot.
 */
@FunctionalInterface
public interface RingSync {
  /**
   * Syncs; no errors, because the kernel's reports none either. Tail is to be read again
   * afterwards.
   */
  void sync();
}
