// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

/**
 * How a netmap memory is laid out: POOLS_INFO_GET.
 *
 * @param memoryBytes size of all three pools as one mapping
 * @param interfaces the pool of {@code struct netmap_if}
 * @param rings the pool of {@code struct netmap_ring}
 * @param buffers the pool of buffers; the first two are reserved
 */
public record MemoryPools(
    int memoryId, long memoryBytes, Pool interfaces, Pool rings, Pool buffers) {
  /** Objects of one size. */
  public record Pool(long offset, int objects, int objectBytes) {}
}
