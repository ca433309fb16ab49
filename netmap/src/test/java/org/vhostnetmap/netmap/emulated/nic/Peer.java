// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.vhostnetmap.netmap.NetworkNamespace;

/** Another host: a thread in a network namespace of its own, with one end of a cable. */
final class Peer implements AutoCloseable {
  private static final FutureTask<Void> END = new FutureTask<>(() -> null);

  private final LinkedBlockingQueue<FutureTask<?>> tasks = new LinkedBlockingQueue<>();
  private final CompletableFuture<Path> namespace = new CompletableFuture<>();
  private final Thread thread;

  /** Takes {@code end} of a cable from the caller's namespace, and gives it an address. */
  Peer(String end, String mac, String address) throws Exception {
    thread = Thread.ofPlatform().name("peer").daemon().start(this::live);
    String path = namespace.get(10, TimeUnit.SECONDS).toString();
    command("ip", "link", "set", end, "netns", path);
    run(
        () -> {
          command("ip", "link", "set", "lo", "up");
          command("ip", "link", "set", end, "address", mac);
          command("ip", "link", "set", end, "addrgenmode", "none", "up");
          command("ip", "addr", "add", address, "dev", end);
          return null;
        });
  }

  private void live() {
    try {
      NetworkNamespace.run(
          () -> {
            Path self =
                Path.of("/proc").resolve(Files.readSymbolicLink(Path.of("/proc/thread-self")));
            namespace.complete(self.resolve("ns/net"));
            for (FutureTask<?> task = tasks.take(); !task.equals(END); task = tasks.take()) {
              task.run();
            }
          });
    } catch (Throwable e) {
      namespace.completeExceptionally(e);
    }
  }

  /** Runs {@code task} there, and programs and sockets that it starts and makes. */
  <T> T run(Callable<T> task) throws Exception {
    FutureTask<T> future = start(task);
    try {
      return future.get(60, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw e;
    }
  }

  /** The same without waiting. */
  <T> FutureTask<T> start(Callable<T> task) {
    FutureTask<T> future = new FutureTask<>(task);
    tasks.add(future);
    return future;
  }

  /** Whether an echo request is answered within a second. */
  boolean pings(String address) throws Exception {
    return run(
        () ->
            new ProcessBuilder("ping", "-c", "1", "-W", "1", address)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor()
                == 0);
  }

  /** Waits for a thread to end. */
  static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    tasks.add(END);
    join(thread);
  }
}
