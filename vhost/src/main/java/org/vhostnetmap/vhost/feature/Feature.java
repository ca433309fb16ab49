// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.feature;

/** One feature bit of a 64-bit feature word. */
public sealed interface Feature permits VirtioFeature, ProtocolFeature {
  /** The bit's number, 0 to 63; not a mask. */
  int bit();

  /** The specification's own name. */
  String name();
}
