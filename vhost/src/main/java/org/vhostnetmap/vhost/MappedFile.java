// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.concurrent.atomic.AtomicLong;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.FileStatus;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.SharedFile;

/**
 * A mapped part of a file of the front-end's, shared by the memory tables that hold it: QEMU sends
 * the same table at every start of the device, and mapping gigabytes anew would cost the guest all
 * its page table entries. Counted; the last to let go unmaps. The descriptor stays open to ask
 * whether the file has shrunk.
 *
 * <p>Control thread only, but for {@link #hasShrunk}.
 */
final class MappedFile {
  private static final long PAGE = 4096;

  /** The address space has 128 TiB, and files without content cost their owner nothing. */
  private static final long MOST_OF_PROCESS = 32L << 40;

  private static final AtomicLong MAPPED = new AtomicLong();

  private final Fd fd;
  private final FileStatus file;
  private final long offset; // of the mapping in the file, a multiple of its page size
  private final Mapping mapping;
  private final long needed; // bytes the file must keep
  private int holders = 1;

  private MappedFile(Fd fd, FileStatus file, long offset, Mapping mapping, long needed) {
    this.fd = fd;
    this.file = file;
    this.offset = offset;
    this.mapping = mapping;
    this.needed = needed;
  }

  /**
   * Maps {@code size} bytes from {@code start} on and takes {@code fd} over, which is closed when
   * this fails.
   *
   * @throws Refusal when the file is none that guest memory can live in
   */
  static MappedFile map(Fd fd, long start, long size) throws Refusal {
    try {
      return tryMap(fd, start, size);
    } catch (ErrnoException e) {
      fd.close();
      throw new Refusal("memory can't be mapped: " + e.getMessage());
    } catch (Refusal e) {
      fd.close();
      throw e;
    }
  }

  private static MappedFile tryMap(Fd fd, long start, long size) throws Refusal, ErrnoException {
    FileStatus file = FileStatus.of(fd.value());
    if (!file.isRegularFile()) {
      throw new Refusal(
          "memory in something that is no file (mode 0" + Integer.toOctalString(file.mode()) + ")");
    }
    // Memory files (memfd, tmpfs, hugetlbfs) have seals. What has none is either on a local disk or
    // with a server or a program of somebody's, who could let every access to it wait.
    if (SharedFile.seals(fd.value()) < 0 && !file.isOnBlockDevice()) {
      throw new Refusal(
          "memory in a file that is neither in memory nor on a local disk"
              + " (use memory-backend-memfd, or a file in /dev/shm or in hugetlbfs)");
    }
    // Before the size is asked: from here on a sealed file can't become too short.
    SharedFile.addShrinkSeal(fd.value());
    long fileSize = FileStatus.sizeOf(fd.value());
    if (start + size > fileSize) {
      throw new Refusal("memory of " + size + " bytes at " + start + " in a file of " + fileSize);
    }
    // A file of huge pages is mapped, and unmapped, in whole huge pages only.
    long page = pageSize(file);
    long from = start - start % page;
    long length = (start + size - from + page - 1) / page * page;
    if (MAPPED.addAndGet(length) > MOST_OF_PROCESS) {
      MAPPED.addAndGet(-length);
      throw new Refusal("memory of all ports together would be more than 32 TiB");
    }
    try {
      Mapping mapping = Mapping.of(fd.value(), from, length, true);
      return new MappedFile(fd, file, from, mapping, start + size);
    } catch (ErrnoException e) {
      MAPPED.addAndGet(-length);
      throw e;
    }
  }

  private static long pageSize(FileStatus file) {
    long block = file.blockSize();
    return block > PAGE && Long.bitCount(block) == 1 ? block : PAGE;
  }

  /**
   * Whether these {@code size} bytes from {@code start} on of {@code other} are in this mapping.
   */
  boolean covers(FileStatus other, long start, long size) {
    return file.sameFile(other) && start >= offset && start + size <= needed;
  }

  /** Host address of the file's byte {@code position}, which is in the mapping. */
  long addressOf(long position) {
    return mapping.address() + (position - offset);
  }

  /** One more table holds it. */
  MappedFile retain() {
    holders++;
    return this;
  }

  /** One table less; the last one unmaps. The data plane has let go of it before. */
  void release() {
    if (--holders == 0) {
      mapping.close();
      MAPPED.addAndGet(-mapping.length());
      closeFd();
    }
  }

  // The lock keeps the number from being closed, and given to another file, between look and fstat.
  private synchronized void closeFd() {
    fd.close();
  }

  /** Whether the file lost bytes that are mapped. Any thread. */
  synchronized boolean hasShrunk() {
    if (!fd.isOpen()) {
      return false;
    }
    try {
      return FileStatus.sizeOf(fd.value()) < needed;
    } catch (ErrnoException e) {
      return true;
    }
  }

  /** Whether nobody can shrink it. */
  boolean isSealed() {
    int seals = SharedFile.seals(fd.value());
    return seals >= 0 && (seals & SharedFile.SEAL_SHRINK) != 0;
  }
}
