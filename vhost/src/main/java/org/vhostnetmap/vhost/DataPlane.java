// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

/**
 * What is done with the rings of one device. All methods are called in the control thread and
 * return soon; none throws.
 */
public interface DataPlane {
  /**
   * Here is the whole list of rings that may be used from now on. When this returns, no thread of
   * the data plane touches a ring, or a byte of guest memory, that is not in {@code state}: the
   * caller unmaps and closes what it took away. Called only when the list or the memory changes.
   */
  void run(DeviceState state);

  /**
   * The guest has moved here and does not announce itself: make the network learn its address
   * (VHOST_USER_SEND_RARP). May come before any ring ever ran.
   *
   * @param macAddress48 first byte of the MAC address in bits 47 to 40
   */
  void announce(long macAddress48);
}
