// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.SharedFile;

/**
 * One netmap memory: a memfd with all netmap_if objects, then all rings, then all buffers. Owns
 * file and mapping.
 */
public final class Pool implements AutoCloseable {
  private final int id;
  private final Fd file;
  private final Mapping mapping;
  private final Geometry geometry;

  /**
   * How a pool is cut.
   *
   * @param bufferBytes distance from buffer to buffer: nr_buf_size
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

  /** A pool of zeroes. */
  public Pool(int id, Geometry geometry) throws ErrnoException {
    this.id = id;
    this.geometry = geometry;
    file = SharedFile.create("netmap-" + id, geometry.bytes());
    try {
      mapping = Mapping.of(file.value(), 0, geometry.bytes(), true);
    } catch (ErrnoException failed) {
      file.close();
      throw failed;
    }
  }

  /** Its memory id: ports with the same id can swap buffers. */
  public int id() {
    return id;
  }

  /** How it is cut. */
  public Geometry geometry() {
    return geometry;
  }

  /** The file, for whoever wants to map it again; borrowed. */
  public int fd() {
    return file.value();
  }

  /** Host address of the region. */
  public long address() {
    return mapping.address();
  }

  /** Host address of buffer 0, without skew; a multiple of the page size: the UMEM's start. */
  public long buffersAddress() {
    return mapping.address() + geometry.buffersOffset();
  }

  /** Bytes of all buffers: the UMEM's length. */
  public long buffersBytes() {
    return (long) geometry.buffers() * geometry.bufferBytes();
  }

  /** Host address of the data of buffer {@code index}; not checked. */
  public long data(long index) {
    return buffersAddress() + index * geometry.bufferBytes() + geometry.skew();
  }

  /** Bytes of a frame that fit into one buffer. */
  public int usableBytes() {
    return geometry.bufferBytes() - geometry.skew();
  }

  /** Unmaps. */
  @Override
  public void close() {
    mapping.close();
    file.close();
  }
}
