// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * Plays /dev/netmap for one kind of request. Reads requests by the offsets of the ABI, written down
 * here a second time.
 */
final class FakeKernel implements NetmapCalls {
  /** Two memory areas: {@code struct netmap_if} and a TX and an RX ring of 8 slots. */
  static final int REGION_BYTES = 1 << 16;

  static final int IF_OFFSET = 64;
  static final int TX_OFFSET = 4096;
  static final int RX_OFFSET = 8192;
  static final int BUFFERS_OFFSET = 12288;

  /** Answers a request: 0, or a negative error number. */
  @FunctionalInterface
  interface Answer {
    int answer(FakeKernel kernel, long code, long address);
  }

  final List<Fd> opened = new ArrayList<>();
  final List<Mapping> mapped = new ArrayList<>();
  final List<Long> codes = new ArrayList<>();
  boolean knowsCtrl = true;
  boolean knowsLegacy = true;
  Answer answer = (kernel, code, address) -> 0;

  /** The last request but syncs: 88 bytes of header, or 60 of the older one. */
  byte[] header = new byte[0];

  byte[] body = new byte[0];

  @Override
  public Fd open() throws ErrnoException {
    Fd fd = EventFd.create();
    opened.add(fd);
    return fd;
  }

  @Override
  public int ioctl(int fd, long code, long address) {
    codes.add(code);
    if (code == 0xc0586997L) {
      return knowsCtrl ? control(code, address) : -Errno.EOPNOTSUPP;
    }
    if (code == 0xc03c6991L || code == 0xc03c6992L) {
      header = bytes(address, 60);
      return knowsLegacy ? answer.answer(this, code, address) : -Errno.EINVAL;
    }
    return 0;
  }

  private int control(long code, long address) {
    header = bytes(address, 88);
    long pointer = Memory.getLong(address + 80);
    body = pointer == 0 ? new byte[0] : bytes(pointer, 64);
    boolean probe = Memory.getUnsignedByte(address + 8) == 0 && reqtype() == 2;
    return probe ? 0 : answer.answer(this, code, address);
  }

  int reqtype() {
    return (header[2] & 0xff) | (header[3] & 0xff) << 8;
  }

  static byte[] bytes(long address, int length) {
    byte[] copy = new byte[length];
    Memory.copyToArray(address, copy, 0, length);
    return copy;
  }

  /** A region with one TX and one RX ring in it, whose flags a former user left dirty. */
  @Override
  public Mapping map(int fd, long bytes) throws ErrnoException {
    Mapping mapping = Mapping.anonymous(bytes);
    mapped.add(mapping);
    long nif = mapping.address() + IF_OFFSET;
    Memory.putInt(nif + 24, 1);
    Memory.putInt(nif + 28, 1);
    Memory.putInt(nif + 36, 1);
    Memory.putInt(nif + 40, 1);
    Memory.putLong(nif + 56, TX_OFFSET - IF_OFFSET);
    Memory.putLong(nif + 56 + 16, RX_OFFSET - IF_OFFSET);
    ring(mapping.address(), TX_OFFSET, 7);
    ring(mapping.address(), RX_OFFSET, 0);
    return mapping;
  }

  private static void ring(long region, int offset, int tail) {
    long ring = region + offset;
    Memory.putLong(ring, BUFFERS_OFFSET - offset);
    Memory.putInt(ring + 8, 8);
    Memory.putInt(ring + 12, 2048);
    Memory.putInt(ring + 28, tail);
    Memory.putInt(ring + 32, 0x6);
  }

  /** Answers REGISTER with the region above; the memory's number is {@code memoryId}. */
  static Answer registers(int memoryId) {
    return (kernel, code, address) -> {
      long answer = Memory.getLong(address + 80);
      Memory.putLong(answer, IF_OFFSET);
      Memory.putLong(answer + 8, REGION_BYTES);
      Memory.putInt(answer + 16, 8);
      Memory.putInt(answer + 20, 9);
      Memory.putShort(answer + 24, 1);
      Memory.putShort(answer + 26, 2);
      Memory.putShort(answer + 28, 3);
      Memory.putShort(answer + 30, 4);
      Memory.putShort(answer + 32, memoryId);
      Memory.putInt(answer + 40, 5);
      return 0;
    };
  }
}
