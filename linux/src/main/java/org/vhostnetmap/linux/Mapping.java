// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.util.concurrent.atomic.AtomicBoolean;
import org.vhostnetmap.linux.libc.Native;

/**
 * A range of this process's address space, given back on close. The owner sees to it that no thread
 * uses an address inside after {@link #close()}: the process would die, or worse, hit what was
 * mapped there since.
 */
public final class Mapping implements AutoCloseable {
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_SHARED = 1;
  private static final int MAP_PRIVATE = 2;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_NORESERVE = 0x4000;

  private final long address;
  private final long length;
  private final AtomicBoolean closed = new AtomicBoolean();

  private Mapping(long address, long length) {
    this.address = address;
    this.length = length;
  }

  /**
   * Maps {@code length} bytes of the file from {@code fileOffset} (a multiple of its page size) on,
   * shared with everybody who maps the file. The descriptor may be closed afterwards.
   */
  public static Mapping of(int fd, long fileOffset, long length, boolean writable)
      throws ErrnoException {
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    return map(length, protection, MAP_SHARED | MAP_NORESERVE, fd, fileOffset);
  }

  /** {@code length} bytes of zeros that nobody else sees, aligned to a page. */
  public static Mapping anonymous(long length) throws ErrnoException {
    return map(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }

  private static Mapping map(long length, int protection, int flags, int fd, long offset)
      throws ErrnoException {
    long address = Native.C.mmap(0, length, protection, flags, fd, offset);
    if (address == -1) {
      throw new ErrnoException(
          "mmap fd " + fd + " offset " + offset + " length " + length, Native.errno());
    }
    return new Mapping(address, length);
  }

  /** Host address of the first byte. */
  public long address() {
    return address;
  }

  /** Length in bytes. */
  public long length() {
    return length;
  }

  /** Unmaps; a second call does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      // Fails only for arguments that mmap would not have answered, or when the kernel is out of
      // map entries.
      Native.C.munmap(address, length);
    }
  }
}
