// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.FileStatus;
import org.vhostnetmap.vhost.message.MemoryRegion;
import org.vhostnetmap.virtqueue.GuestMemory;

/**
 * The guest's memory as the front-end told it, mapped: the owner of mappings and their descriptors.
 * Immutable: a change makes a new table that shares the mappings both have, so that the old one can
 * be kept until the data plane has let go, and stays whole when the change is refused.
 *
 * <p>Control thread only, but for {@link #hasShrunk}.
 */
final class MemoryTable implements AutoCloseable {
  static final MemoryTable EMPTY = new MemoryTable(List.of());

  /** More than any guest has; beyond it a front-end takes the address space from other ports. */
  private static final long MOST_BYTES = 4L << 40;

  private record Slot(MemoryRegion region, MappedFile file) {
    GuestMemory.Region mapped() {
      return new GuestMemory.Region(
          region.guestAddress(),
          region.frontendAddress(),
          region.size(),
          file.addressOf(region.mmapOffset()));
    }
  }

  private final List<Slot> slots;
  private final GuestMemory memory;

  private MemoryTable(List<Slot> slots) {
    this.slots = List.copyOf(slots);
    memory =
        slots.isEmpty()
            ? GuestMemory.NONE
            : GuestMemory.of(this.slots.stream().map(Slot::mapped).toList());
  }

  /** What the data plane sees of it. */
  GuestMemory memory() {
    return memory;
  }

  /** The regions in the order they came. */
  List<MemoryRegion> regions() {
    return slots.stream().map(Slot::region).toList();
  }

  /**
   * A table of exactly these regions (SET_MEM_TABLE). Takes the descriptors over, one for each
   * region, whatever happens.
   */
  MemoryTable replacedBy(List<MemoryRegion> regions, List<Fd> fds) throws Refusal {
    List<Slot> next = new ArrayList<>();
    try {
      for (int i = 0; i < regions.size(); i++) {
        requireSound(regions.get(i), next);
        next.add(new Slot(regions.get(i), open(regions.get(i), fds.get(i))));
      }
      return new MemoryTable(next);
    } catch (Refusal e) {
      next.forEach(slot -> slot.file().release());
      throw e;
    } finally {
      // A descriptor that is in use now has been moved out of its Fd.
      fds.forEach(Fd::close);
    }
  }

  /** A table with one more region (ADD_MEM_REG). Takes the descriptor over, whatever happens. */
  MemoryTable plus(MemoryRegion region, Fd fd, int mostSlots) throws Refusal {
    try (fd) {
      if (slots.size() >= mostSlots) {
        throw new Refusal("more than " + mostSlots + " memory regions");
      }
      requireSound(region, slots);
      List<Slot> next = new ArrayList<>(slots);
      next.add(new Slot(region, open(region, fd)));
      slots.forEach(slot -> slot.file().retain());
      return new MemoryTable(next);
    }
  }

  /**
   * Whether this very region of this very file is in the table: QEMU 7.2 adds each once per queue
   * pair.
   */
  boolean has(MemoryRegion region, Fd fd) throws Refusal {
    FileStatus file = statusOf(fd);
    return slots.stream()
        .anyMatch(
            slot ->
                slot.region().equals(region)
                    && slot.file().covers(file, region.mmapOffset(), region.size()));
  }

  /**
   * A table without this region (REM_MEM_REG); this one when it is not there, for QEMU 7.2 removes
   * each once per queue pair.
   */
  MemoryTable minus(MemoryRegion region) {
    List<Slot> next = slots.stream().filter(slot -> !slot.region().sameRegion(region)).toList();
    if (next.size() == slots.size()) {
      return this;
    }
    next.forEach(slot -> slot.file().retain());
    return new MemoryTable(next);
  }

  private MappedFile open(MemoryRegion region, Fd fd) throws Refusal {
    FileStatus file = statusOf(fd);
    for (Slot slot : slots) {
      if (slot.file().covers(file, region.mmapOffset(), region.size())) {
        return slot.file().retain();
      }
    }
    return MappedFile.map(fd.moved(), region.mmapOffset(), region.size());
  }

  private static FileStatus statusOf(Fd fd) throws Refusal {
    try {
      return FileStatus.of(fd.value());
    } catch (ErrnoException e) {
      throw new Refusal("memory file: " + e.getMessage());
    }
  }

  /** Numbers above 2^63 exist on no machine, and without them no sum below can wrap. */
  private static void requireSound(MemoryRegion region, List<Slot> others) throws Refusal {
    long before = others.stream().mapToLong(slot -> slot.region().size()).sum();
    if (region.size() <= 0
        || isWild(region.guestAddress(), region.size())
        || isWild(region.frontendAddress(), region.size())
        || isWild(region.mmapOffset(), region.size())) {
      throw new Refusal("impossible memory " + region);
    }
    if (region.size() > MOST_BYTES - before) {
      throw new Refusal("memory of more than 4 TiB: " + region);
    }
    for (Slot other : others) {
      MemoryRegion there = other.region();
      if (overlap(region.guestAddress(), region.size(), there.guestAddress(), there.size())
          || overlap(
              region.frontendAddress(), region.size(), there.frontendAddress(), there.size())) {
        throw new Refusal(region + " overlaps " + there);
      }
    }
  }

  private static boolean isWild(long address, long size) {
    // Pages are rounded up when mapped, hence the margin.
    return address < 0 || address > Long.MAX_VALUE - (1L << 40) - size;
  }

  private static boolean overlap(long a, long aSize, long b, long bSize) {
    return a < b + bSize && b < a + aSize;
  }

  /** Whether a file is now shorter than what is mapped of it. Any thread. */
  boolean hasShrunk() {
    return slots.stream().anyMatch(slot -> slot.file().hasShrunk());
  }

  /** Whether every file is sealed against shrinking. */
  boolean isSealed() {
    return slots.stream().allMatch(slot -> slot.file().isSealed());
  }

  /** Lets go of the mappings; those that no other table shares are unmapped. */
  @Override
  public void close() {
    slots.forEach(slot -> slot.file().release());
  }
}
