// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import jnr.constants.platform.Fcntl;
import jnr.posix.POSIX;
import jnr.posix.POSIXFactory;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;

/**
 * File descriptors of every odd kind that a peer may send, and a count of what this process has
 * open.
 */
public final class Descriptors {
  private static final int O_CLOEXEC = 0x80000;
  private static final int QUIET_LOOKS = 20;

  /** {@code O_RDONLY}. */
  public static final int READ_ONLY = 0;

  /** {@code O_RDWR}. */
  public static final int READ_WRITE = 2;

  /** {@code O_PATH}. */
  public static final int PATH_ONLY = 0x200000;

  private Descriptors() {}

  private static POSIX posix() {
    try {
      // The room of system calls prepares jnr before anything of it is loaded.
      EventFd.create().close();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return POSIXFactory.getNativePOSIX();
  }

  /** A pipe: the end to read, the end to write. */
  public static Fd[] pipe() {
    int[] ends = new int[2];
    if (posix().pipe(ends) != 0) {
      throw new IllegalStateException("pipe");
    }
    return new Fd[] {new Fd(ends[0]), new Fd(ends[1])};
  }

  /** Makes an eventfd blocking, and so full that whoever signals it waits for ever. */
  public static void makeSignalsWait(Fd event) {
    EventFd.drain(event.value());
    byte[] most = {-2, -1, -1, -1, -1, -1, -1, -1}; // 2^64 - 2
    if (posix().fcntlInt(event.value(), Fcntl.F_SETFL, 0) < 0
        || posix().write(event.value(), most, most.length) != most.length) {
      throw new IllegalStateException("fill " + event);
    }
  }

  /** Opens {@code path} with {@code flags} of open(2). */
  public static Fd open(String path, int flags) {
    int fd = posix().open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) {
      throw new IllegalStateException("open " + path);
    }
    return new Fd(fd);
  }

  /** How many descriptors this process has open. */
  public static int count() throws IOException {
    try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
      return (int) all.count();
    }
  }

  /**
   * The same, when it has not changed for a while: what a peer gave is closed in threads of its
   * own.
   */
  public static int settledCount() throws IOException {
    int last = count();
    for (int same = 0; same < QUIET_LOOKS; same++) {
      LockSupport.parkNanos(1_000_000);
      int now = count();
      if (now != last) {
        same = 0;
        last = now;
      }
    }
    return last;
  }

  /** The numbers of the sockets that this process has open. */
  public static Set<Integer> sockets() throws IOException {
    Set<Integer> sockets = new HashSet<>();
    try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
      for (Path fd : all.toList()) {
        if (Files.isSymbolicLink(fd)
            && Files.readSymbolicLink(fd).toString().startsWith("socket:")) {
          sockets.add(Integer.valueOf(String.valueOf(fd.getFileName())));
        }
      }
    }
    return sockets;
  }

  /** The lines of /proc/self/maps that tell of mapped memory files called {@code name}. */
  public static List<String> mappingsOf(String name) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.contains("memfd:" + name))
        .toList();
  }
}
