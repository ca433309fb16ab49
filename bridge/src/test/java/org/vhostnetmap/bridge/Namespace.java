// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Assumptions;

/**
 * A network of its own for one thread, the threads it starts and the programs it runs; gone with
 * them.
 */
final class Namespace {
  private static final int CLONE_NEWNET = 0x40000000;
  private static final MethodHandle UNSHARE = unshare();

  /** What runs there. */
  interface Body {
    void run() throws Exception;
  }

  private Namespace() {}

  @SuppressWarnings("restricted") // a test may call C
  private static MethodHandle unshare() {
    var function = SymbolLookup.libraryLookup("libc.so.6", Arena.global()).findOrThrow("unshare");
    var descriptor = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
    return Linker.nativeLinker().downcallHandle(function, descriptor);
  }

  /** Runs {@code body} there, or skips the test when this process has no right to make one. */
  static void run(Body body) throws Exception {
    FutureTask<Boolean> task = new FutureTask<>(() -> enter() && done(body));
    Thread thread = Thread.ofPlatform().name("namespace").start(task);
    thread.join();
    try {
      Assumptions.assumeTrue(task.get(), "no right to make a network namespace");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw new AssertionError(e.getCause());
    }
  }

  private static boolean enter() throws IOException {
    try {
      return (int) UNSHARE.invokeExact(CLONE_NEWNET) == 0;
    } catch (Throwable e) {
      throw new IOException(e);
    }
  }

  private static boolean done(Body body) throws Exception {
    body.run();
    return true;
  }

  /** Runs a shell command that has to succeed. */
  static String sh(String command) throws Exception {
    Process process = new ProcessBuilder("sh", "-c", command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(command + ": " + output);
    }
    return output.strip();
  }
}
