// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A copy of QEMU 7.2 that can give a vhost-user network device MSI-X vectors without KVM.
 *
 * <p>QEMU before 8.0 dies of a null pointer when such a device starts under TCG: it masks vectors
 * by KVM's irqfds ({@code msix_set_vector_notifiers}) although there are none, whatever the
 * back-end does. Newer versions leave that step out without KVM, and interrupts take the way
 * through QEMU's main loop. The copy does the same: the two functions return at once. Everything
 * else is the installed QEMU, byte for byte.
 */
final class MsixUnderTcg {
  private static final int SECTION_DYNSYM = 11;
  private static final int SYMBOL_SIZE = 24;
  private static final byte[] RETURN_ZERO = {0x31, (byte) 0xc0, (byte) 0xc3};
  private static final byte[] RETURN = {(byte) 0xc3};

  private final ByteBuffer elf;

  private MsixUnderTcg(byte[] file) {
    elf = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Writes the copy unless it is there already and newer than QEMU; returns false if it can't. */
  static boolean copy(Path qemu, Path target) throws IOException {
    if (Files.exists(target)
        && Files.getLastModifiedTime(target).compareTo(Files.getLastModifiedTime(qemu)) > 0) {
      return true;
    }
    byte[] file = Files.readAllBytes(qemu);
    var patch = new MsixUnderTcg(file);
    if (!patch.replace("msix_set_vector_notifiers", RETURN_ZERO)
        || !patch.replace("msix_unset_vector_notifiers", RETURN)) {
      return false;
    }
    Path fresh = Files.createTempFile(target.getParent(), "qemu", null);
    Files.write(fresh, file);
    if (!fresh.toFile().setExecutable(true)) {
      throw new IOException("can't make " + fresh + " executable");
    }
    Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    return true;
  }

  private boolean replace(String function, byte[] code) {
    int offset = fileOffset(address(function));
    if (offset > 0) {
      elf.put(offset, code);
    }
    return offset > 0;
  }

  /** The function's virtual address by the dynamic symbol table, or 0. */
  private long address(String function) {
    long sections = elf.getLong(0x28);
    int size = elf.getShort(0x3a);
    for (int i = 0; i < elf.getShort(0x3c); i++) {
      int section = (int) sections + i * size;
      if (elf.getInt(section + 4) == SECTION_DYNSYM) {
        int names = (int) elf.getLong((int) sections + elf.getInt(section + 0x28) * size + 0x18);
        return symbol(
            function, (int) elf.getLong(section + 0x18), elf.getLong(section + 0x20), names);
      }
    }
    return 0;
  }

  private long symbol(String function, int table, long bytes, int names) {
    for (int at = table; at < table + bytes; at += SYMBOL_SIZE) {
      if (name(names + elf.getInt(at), function.length() + 1).equals(function + '\0')) {
        return elf.getLong(at + 8);
      }
    }
    return 0;
  }

  private String name(int at, int length) {
    return new String(elf.array(), at, Math.min(length, elf.capacity() - at), ISO_8859_1);
  }

  /** Where the byte at a virtual address is in the file, by the loadable segments; or 0. */
  private int fileOffset(long address) {
    int headers = (int) elf.getLong(0x20);
    for (int i = 0; address != 0 && i < elf.getShort(0x38); i++) {
      int header = headers + i * elf.getShort(0x36);
      long start = elf.getLong(header + 0x10);
      if (elf.getInt(header) == 1
          && address >= start
          && address < start + elf.getLong(header + 0x20)) {
        return (int) (address - start + elf.getLong(header + 8));
      }
    }
    return 0;
  }
}
