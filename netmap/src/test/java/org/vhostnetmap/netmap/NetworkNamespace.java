// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Assumptions;

/**
 * A network of its own for one thread and the programs that it starts, gone when the thread ends
 * and the last socket made there is closed.
 */
public final class NetworkNamespace {
  private static final int CLONE_NEWNET = 0x40000000;
  private static final MethodHandle UNSHARE = function("unshare", ValueLayout.JAVA_INT);

  /** What runs there. */
  @FunctionalInterface
  public interface Body {
    /** Anything that may fail. */
    void run() throws Exception;
  }

  private NetworkNamespace() {}

  @SuppressWarnings("restricted") // a test may call C
  private static MethodHandle function(String name, ValueLayout argument) {
    MemorySegment address =
        SymbolLookup.libraryLookup("libc.so.6", Arena.global()).findOrThrow(name);
    return Linker.nativeLinker()
        .downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_INT, argument));
  }

  /**
   * Runs {@code body} there, or skips the test, saying why, when this process has not the right to.
   */
  public static void run(Body body) throws Exception {
    FutureTask<Boolean> task =
        new FutureTask<>(
            () -> {
              if (!unshare()) {
                return false;
              }
              body.run();
              return true;
            });
    Thread thread = Thread.ofPlatform().name("namespace").start(task);
    thread.join();
    try {
      Assumptions.assumeTrue(task.get(), "no right to make a network namespace");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw e;
    }
  }

  private static boolean unshare() throws Exception {
    try {
      return (int) UNSHARE.invokeExact(CLONE_NEWNET) == 0;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Output of a program such as ip(8); fails the test when it fails. */
  public static String command(String... words) throws Exception {
    Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), () -> String.join(" ", words) + ": " + output);
    return output;
  }

  /** Two ends of a cable, up, without addresses and without frames of the kernel's own. */
  public static void veth(String one, String other, String... more) throws Exception {
    String[] add = {"ip", "link", "add", one, "type", "veth", "peer", "name", other};
    command(add);
    for (String end : new String[] {one, other}) {
      command("ip", "link", "set", end, "addrgenmode", "none");
    }
    for (String word : more) {
      for (String end : new String[] {one, other}) {
        command(("ip link set " + end + " " + word).split(" "));
      }
    }
    for (String end : new String[] {one, other}) {
      command("ip", "link", "set", end, "up");
    }
  }
}
