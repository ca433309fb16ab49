// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/**
 * What a port is like: the answer of PORT_INFO_GET, and of REGISTER.
 *
 * @param memoryId ports of one id can swap buffers
 * @param memoryBytes size of that memory as one mapping
 */
public record PortInfo(
    int txRings,
    int rxRings,
    int hostTxRings,
    int hostRxRings,
    int txSlots,
    int rxSlots,
    int memoryId,
    long memoryBytes) {}
