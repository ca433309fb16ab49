// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.netmap.NetmapAbi;

/**
 * One netmap memory: a memfd with all netmap_if objects, then all rings, then all buffers. It
 * exists while somebody is in it: the first {@link #enter} makes file and mapping, the last {@link
 * #leave} gives them back, and with them what users lost. Thread-safe; an address is good until the
 * last one leaves.
 */
public final class Pool {
  private static final System.Logger LOG = System.getLogger(Pool.class.getName());

  private final int id;
  private final Geometry geometry;
  private final FreeList interfaces;
  private final FreeList rings;
  private final FreeList buffers;
  private final List<Kring> liveRings = new ArrayList<>();
  private final List<Long> liveInterfaces = new ArrayList<>();

  private @Nullable Fd file;
  private @Nullable Mapping mapping;
  private long address;
  private int users;

  /** Adapters and others that may enter; {@link Pools} counts. */
  int references;

  /**
   * How a pool is cut.
   *
   * @param bufferBytes distance from buffer to buffer: nr_buf_size, 64 to 65536
   * @param skew where a buffer's data begins in it: its usable bytes are bufferBytes - skew
   */
  public record Geometry(
      int interfaces,
      int interfaceBytes,
      int rings,
      int ringBytes,
      int buffers,
      int bufferBytes,
      int skew) {
    /**
     * The memory that NICs share, unless somebody asks for another size. AF_XDP pins all of its 64
     * MiB of buffers; what nobody touches otherwise takes no memory. A netmap_if has room for 120
     * queue pairs.
     */
    public static final Geometry GLOBAL = new Geometry(100, 2048, 512, 36_864, 32_768, 2048, 256);

    long ringsOffset() {
      return pages((long) interfaces * interfaceBytes);
    }

    long buffersOffset() {
      return ringsOffset() + pages((long) rings * ringBytes);
    }

    long bytes() {
      return buffersOffset() + pages((long) buffers * bufferBytes);
    }

    private static long pages(long bytes) {
      return (bytes + 4095) & ~4095L;
    }
  }

  /**
   * Where every buffer is.
   *
   * @param slots how many slots of rings name a buffer of their own
   * @param extra how many hang on lists of extra buffers
   * @param free how many nobody has
   * @param doubled how many have more than one place: somebody broke a ring or a list
   * @param lost how many have none: given out, and nobody names them any more
   */
  public record Census(int slots, int extra, int free, int doubled, int lost) {}

  /** A pool that takes no memory yet. */
  public Pool(int id, Geometry geometry) {
    if (geometry.bufferBytes() < 64
        || geometry.bufferBytes() > 1 << 16
        || geometry.skew() < 0
        || geometry.skew() >= geometry.bufferBytes()
        || geometry.buffers() <= NetmapAbi.FIRST_BUFFER) {
      throw new IllegalArgumentException("no netmap memory can be cut like this: " + geometry);
    }
    this.id = id;
    this.geometry = geometry;
    interfaces = new FreeList(geometry.interfaces(), 0);
    rings = new FreeList(geometry.rings(), 0);
    buffers = new FreeList(geometry.buffers(), NetmapAbi.FIRST_BUFFER);
  }

  /** Its memory id: ports with the same id can swap buffers. */
  public int id() {
    return id;
  }

  /** How it is cut. */
  public Geometry geometry() {
    return geometry;
  }

  /** Finalizes the memory for one more user: the first one makes it. */
  public synchronized void enter() throws ErrnoException {
    if (users == 0) {
      Fd made = SharedFile.create("netmap-" + id, geometry.bytes());
      try {
        mapping = Mapping.of(made.value(), 0, geometry.bytes(), true);
      } catch (ErrnoException failed) {
        made.close();
        throw failed;
      }
      file = made;
      address = mapping.address();
    }
    users++;
  }

  /** One user less; the last one gives file and mapping back, and all that was lost. */
  public synchronized void leave() {
    users--;
    if (users > 0 || mapping == null || file == null) {
      return;
    }
    int lost = buffers.taken();
    if (lost > 0) {
      LOG.log(System.Logger.Level.WARNING, "netmap memory " + id + ": " + lost + " buffers lost");
    }
    interfaces.reset();
    rings.reset();
    buffers.reset();
    liveRings.clear();
    liveInterfaces.clear();
    mapping.close();
    file.close();
    mapping = null;
    file = null;
    address = 0;
  }

  /** Whether somebody is in it. */
  public synchronized boolean inUse() {
    return users > 0;
  }

  /** The file, for whoever wants to map it again; borrowed; -1 while nobody is in. */
  public synchronized int fd() {
    return file == null ? -1 : file.value();
  }

  /** Host address of the region, 0 while nobody is in. */
  public long address() {
    return address;
  }

  /** Bytes of the region. */
  public long bytes() {
    return geometry.bytes();
  }

  /** Host address of buffer 0, without skew; a multiple of the page size: the UMEM's start. */
  public long buffersAddress() {
    return address + geometry.buffersOffset();
  }

  /** Bytes of all buffers: the UMEM's length. */
  public long buffersBytes() {
    return (long) geometry.buffers() * geometry.bufferBytes();
  }

  /** Host address of the data of buffer {@code index}; not checked. */
  public long data(long index) {
    return buffersAddress() + index * geometry.bufferBytes() + geometry.skew();
  }

  /** Whether a user may name this buffer. */
  public boolean isBuffer(long index) {
    return index >= NetmapAbi.FIRST_BUFFER && index < geometry.buffers();
  }

  /** Bytes of a frame that fit into one buffer. */
  public int usableBytes() {
    return geometry.bufferBytes() - geometry.skew();
  }

  /** A buffer that nobody else has, or 0 when there is none. */
  public synchronized int newBuffer() {
    return Math.max(0, buffers.take());
  }

  /** Takes a buffer back; false, and nothing happens, when nobody had it. */
  public synchronized boolean freeBuffer(long index) {
    return isBuffer(index) && buffers.free((int) index);
  }

  /** Buffers that nobody has. */
  public synchronized int freeBuffers() {
    return buffers.left();
  }

  /** Room for a netmap_if, all zero, or 0 when there is none: its host address. */
  synchronized long newInterface() {
    int index = interfaces.take();
    if (index < 0) {
      return 0;
    }
    long object = address + (long) index * geometry.interfaceBytes();
    Memory.fill(object, geometry.interfaceBytes(), 0);
    liveInterfaces.add(object);
    return object;
  }

  /** Takes a netmap_if back with the extra buffers that hang on it. */
  synchronized void freeInterface(long object) {
    liveInterfaces.remove(object);
    long head = Memory.getUnsignedInt(object + NetmapAbi.IF_BUFS_HEAD);
    if (head != 0) {
      freeExtra(head);
    }
    interfaces.free((int) ((object - address) / geometry.interfaceBytes()));
  }

  /**
   * Gives a kring a ring whose every slot has a buffer of its own; all or nothing.
   *
   * @return false when ring objects or buffers don't suffice
   */
  public synchronized boolean newRing(Kring kring) {
    long bytes = NetmapAbi.RING_BYTES + (long) NetmapAbi.SLOT_BYTES * kring.slots;
    if (bytes > geometry.ringBytes() || kring.slots > buffers.left()) {
      return false;
    }
    int index = rings.take();
    if (index < 0) {
      return false;
    }
    long ring = address + geometry.ringsOffset() + (long) index * geometry.ringBytes();
    Memory.fill(ring, bytes, 0);
    kring.layOut(ring, this);
    for (int slot = 0; slot < kring.slots; slot++) {
      Memory.putInt(kring.slot(slot) + NetmapAbi.SLOT_BUF_IDX, buffers.take());
      Memory.putShort(kring.slot(slot) + NetmapAbi.SLOT_LEN, Math.min(usableBytes(), 65535));
    }
    liveRings.add(kring);
    return true;
  }

  /** Takes a kring's ring back with the buffers that its slots name; nothing when it has none. */
  public synchronized void freeRing(Kring kring) {
    if (!liveRings.remove(kring)) {
      return;
    }
    BitSet others = named();
    for (int slot = 0; slot < kring.slots; slot++) {
      long buffer = kring.bufferIndex(slot);
      if (isBuffer(buffer) && !others.get((int) buffer)) {
        buffers.free((int) buffer);
      }
    }
    rings.free((int) ((kring.ring - address - geometry.ringsOffset()) / geometry.ringBytes()));
    kring.ring = 0;
  }

  /**
   * Takes {@code count} buffers, or as many as there are, and links them through their first four
   * bytes.
   *
   * @return the first one, 0 for none
   */
  synchronized int newExtra(int count) {
    int head = 0;
    for (int i = 0; i < count; i++) {
      int buffer = buffers.take();
      if (buffer < 0) {
        break;
      }
      Memory.putInt(data(buffer), head);
      head = buffer;
    }
    return head;
  }

  /** Frees a list. What a ring or another list names stays, and so does all that follows. */
  private void freeExtra(long head) {
    BitSet others = named();
    long buffer = head;
    // A buffer is free after its first visit, so a list that loops ends.
    while (isBuffer(buffer) && !others.get((int) buffer)) {
      long next = Memory.getUnsignedInt(data(buffer));
      if (!buffers.free((int) buffer)) {
        break;
      }
      buffer = next;
    }
    if (buffer != 0) {
      LOG.log(
          System.Logger.Level.WARNING,
          "netmap memory " + id + ": a list of extra buffers is broken at buffer " + buffer);
    }
  }

  /** All buffers that live rings and lists name. */
  private BitSet named() {
    BitSet named = new BitSet(geometry.buffers());
    for (Kring kring : liveRings) {
      for (int slot = 0; slot < kring.slots; slot++) {
        long buffer = kring.bufferIndex(slot);
        if (isBuffer(buffer)) {
          named.set((int) buffer);
        }
      }
    }
    for (long object : liveInterfaces) {
      walk(object, new BitSet(), named);
    }
    return named;
  }

  /** Adds a list's buffers to {@code into} and, when they were there, to {@code again}. */
  private int walk(long object, BitSet again, BitSet into) {
    BitSet seen = new BitSet();
    long buffer = Memory.getUnsignedInt(object + NetmapAbi.IF_BUFS_HEAD);
    while (isBuffer(buffer) && !seen.get((int) buffer)) {
      seen.set((int) buffer);
      if (into.get((int) buffer)) {
        again.set((int) buffer);
      }
      into.set((int) buffer);
      buffer = Memory.getUnsignedInt(data(buffer));
    }
    return seen.cardinality();
  }

  /** Counts all buffers; right only while no sync and no user moves one. */
  public synchronized Census census() {
    BitSet named = new BitSet(geometry.buffers());
    BitSet again = new BitSet(geometry.buffers());
    int slots = 0;
    for (Kring kring : liveRings) {
      for (int slot = 0; slot < kring.slots; slot++) {
        long buffer = kring.bufferIndex(slot);
        if (isBuffer(buffer)) {
          slots++;
          if (named.get((int) buffer)) {
            again.set((int) buffer);
          }
          named.set((int) buffer);
        }
      }
    }
    int extra = 0;
    for (long object : liveInterfaces) {
      extra += walk(object, again, named);
    }
    int lost = 0;
    for (int i = NetmapAbi.FIRST_BUFFER; i < geometry.buffers(); i++) {
      if (buffers.isTaken(i) && !named.get(i)) {
        lost++;
      } else if (!buffers.isTaken(i) && named.get(i)) {
        again.set(i);
      }
    }
    return new Census(slots, extra, buffers.left(), again.cardinality(), lost);
  }
}
