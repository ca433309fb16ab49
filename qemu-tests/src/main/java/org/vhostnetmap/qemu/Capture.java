// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * Records by tcpdump every frame that arrives at an interface, whole; frames that leave by it are
 * not recorded, because their checksums may be left to a later step.
 *
 * <p>What was on the wire is what is recorded only where the interface puts nothing together: its
 * GRO and LRO have to be off.
 */
public final class Capture implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(10);
  private static final Duration END = Duration.ofSeconds(20);
  private static final long STEP_NANOS = 20_000_000;

  private final Path file;
  private final ManagedProcess tcpdump;

  private Capture(Path file, ManagedProcess tcpdump) {
    this.file = file;
    this.tcpdump = tcpdump;
  }

  /** Starts to record what arrives at {@code device} into {@code file}; returns when it does. */
  public static Capture start(NetworkNamespace namespace, String device, Path file)
      throws IOException {
    // As this user (-Z): tcpdump gives up root before it opens the file.
    List<String> command =
        List.of(
            "tcpdump",
            "-i",
            device,
            "-Q",
            "in",
            "-n",
            "-B", // KiB for what comes while tcpdump has no processor
            "65536",
            "-s",
            "0",
            "-B",
            "65536",
            "-Z",
            System.getProperty("user.name"),
            "-w",
            file.toString());
    Path log = file.resolveSibling(file.getFileName() + ".log");
    ManagedProcess tcpdump = ManagedProcess.start(namespace.inside(command), Map.of(), log);
    var capture = new Capture(file, tcpdump);
    long deadline = System.nanoTime() + START.toNanos();
    try {
      while (!tcpdump.log().contains("listening on")) {
        tcpdump.requireAlive();
        if (System.nanoTime() > deadline) {
          throw new IOException("tcpdump does not start: " + tcpdump.tail());
        }
        LockSupport.parkNanos(STEP_NANOS);
      }
      return capture;
    } catch (IOException e) {
      capture.close();
      throw e;
    }
  }

  /** Ends the recording and has it read. */
  public WireReport stop() throws IOException {
    tcpdump.terminate(END);
    return WireReport.of(file);
  }

  @Override
  public void close() {
    tcpdump.close();
  }
}
