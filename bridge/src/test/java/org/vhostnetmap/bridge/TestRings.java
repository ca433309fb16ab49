// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.Set;
import java.util.TreeSet;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;

/** Several netmap rings over one memory, as netmap lays them out; the test plays the kernel. */
final class TestRings implements AutoCloseable {
  static final int BUFFER = 256;
  private static final int RING_BYTES = 4096;

  private final Mapping mapping;
  private final int rings;
  private final int slots;

  /** Every slot of every ring has a buffer of its own; no slot is the user's yet. */
  TestRings(int rings, int slots) throws ErrnoException {
    this.rings = rings;
    this.slots = slots;
    int buffers = rings * slots + NetmapAbi.FIRST_BUFFER;
    mapping = Mapping.anonymous((long) rings * RING_BYTES + (long) buffers * BUFFER);
    for (int r = 0; r < rings; r++) {
      long ring = address(r);
      Memory.putLong(ring + NetmapAbi.RING_BUF_OFS, (long) (rings - r) * RING_BYTES);
      Memory.putInt(ring + NetmapAbi.RING_NUM_SLOTS, slots);
      Memory.putInt(ring + NetmapAbi.RING_BUF_SIZE, BUFFER);
      for (int slot = 0; slot < slots; slot++) {
        Memory.putInt(slot(r, slot), NetmapAbi.FIRST_BUFFER + r * slots + slot);
      }
    }
  }

  private long address(int ring) {
    return mapping.address() + (long) ring * RING_BYTES;
  }

  private long slot(int ring, int slot) {
    return address(ring) + NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * slot;
  }

  /** A view of ring {@code r}; the kernel's and the user's are different ones. */
  NetmapRing ring(int r) {
    return new NetmapRing(address(r), mapping.address(), mapping.length());
  }

  /** As the kernel: the user has the slots up to {@code tail}. */
  void setTail(int r, int tail) {
    Memory.publishInt(address(r) + NetmapAbi.RING_TAIL, tail);
  }

  /** As the kernel: all slots but one are the user's, from head on. */
  void giveAll(int r) {
    setTail(r, (head(r) + slots - 1) % slots);
  }

  /** What the user has shown as head. */
  int head(int r) {
    return (int) Memory.getUnsignedInt(address(r) + NetmapAbi.RING_HEAD);
  }

  /** The buffers that the slots of all rings name; as many as there are slots when all differ. */
  Set<Integer> buffers() {
    Set<Integer> named = new TreeSet<>();
    for (int r = 0; r < rings; r++) {
      for (int slot = 0; slot < slots; slot++) {
        named.add((int) Memory.getUnsignedInt(slot(r, slot)));
      }
    }
    return named;
  }

  /** How many slots there are in all rings. */
  int allSlots() {
    return rings * slots;
  }

  @Override
  public void close() {
    mapping.close();
  }
}
