// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import org.vhostnetmap.netmap.PortInfo;

/**
 * The kernel's answer to REGISTER.
 *
 * @param interfaceOffset where the port's {@code struct netmap_if} lies in its memory
 * @param extraBuffers how many of the wanted extra buffers there were
 */
record Registered(long interfaceOffset, PortInfo info, int extraBuffers) {}
