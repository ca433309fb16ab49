// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.linux.libc.Native;

class FileStatusTest {
  private static final int O_RDONLY = 0;

  @TempDir Path directory;

  @Test
  void tellsSizeTypeAndPage() throws Exception {
    try (Fd file = SharedFile.create("status", 12345)) {
      FileStatus status = FileStatus.of(file.value());
      assertEquals(12345, status.size());
      assertEquals(12345, FileStatus.sizeOf(file.value()));
      assertTrue(status.isRegularFile());
      assertEquals(4096, status.blockSize());
    }
  }

  @Test
  void descriptorAndPathTellOfTheSameFile() throws Exception {
    Path path = Files.writeString(directory.resolve("file"), "text");
    Path other = Files.writeString(directory.resolve("other"), "text");
    try (Fd file = new Fd(Native.C.open(path.toString(), O_RDONLY, 0))) {
      FileStatus status = FileStatus.of(file.value());
      assertTrue(status.sameFile(FileStatus.of(path)));
      assertFalse(status.sameFile(FileStatus.of(other)));
      assertEquals(Files.getAttribute(path, "unix:ino"), status.inode());
      assertEquals(Files.getAttribute(path, "unix:mode"), status.mode());
    }
  }

  @Test
  void tellsOfALinkAndNotOfItsTarget() throws Exception {
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("ninebytes"));
    assertEquals(9, FileStatus.of(link).size());
  }

  @Test
  void knowsAnEventfdIsNoFile() throws Exception {
    try (Fd event = EventFd.create()) {
      assertFalse(FileStatus.of(event.value()).isRegularFile());
    }
  }

  @Test
  void saysWhichFileIsMissing() {
    Path missing = directory.resolve("missing");
    ErrnoException e = assertThrows(ErrnoException.class, () -> FileStatus.of(missing));
    assertEquals(Errno.ENOENT, e.errno());
    assertTrue(e.toString().contains(missing.toString()), e.getMessage());
  }
}
