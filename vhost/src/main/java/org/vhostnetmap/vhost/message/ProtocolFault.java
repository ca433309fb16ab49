// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

/**
 * The front-end broke a rule of vhost-user. It is dropped with this as the reason; the port waits
 * for the next one, and no other port notices.
 */
public final class ProtocolFault extends Exception {
  private static final long serialVersionUID = 1L;

  /** {@code what} in plain words, with the offending number. */
  public ProtocolFault(String what) {
    super(what, null, false, false);
  }
}
