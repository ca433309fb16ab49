// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A running vhost-netmap, or any other back-end, in the namespace where its TAPs are. {@link
 * #close} ends it.
 */
public final class BackendProcess implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(60);
  private static final Duration END = Duration.ofSeconds(5);
  private static final long STEP_NANOS = 20_000_000;

  private final Scratch scratch;
  private final ManagedProcess process;

  private BackendProcess(Scratch scratch, ManagedProcess process) {
    this.scratch = scratch;
    this.process = process;
  }

  /**
   * Starts vhost-netmap with these options and ports, and waits until it answers for its status.
   */
  public static BackendProcess start(@Nullable NetworkNamespace namespace, String... arguments)
      throws IOException {
    var command = new ArrayList<String>();
    var scratch = new Scratch();
    command.add(program());
    command.add("--control=" + scratch.path("control"));
    command.addAll(List.of(arguments));
    return launch(scratch, namespace, command, scratch.path("control"));
  }

  /** The path of vhost-netmap: this tree's, or what VHOST_NETMAP_PROGRAM says. */
  public static String program() {
    String given = System.getenv("VHOST_NETMAP_PROGRAM");
    return given == null ? GuestFiles.root().resolve("scripts/vhost-netmap").toString() : given;
  }

  /** Starts another back-end and waits until {@code socket} can be connected to. */
  public static BackendProcess other(
      @Nullable NetworkNamespace namespace, Path socket, List<String> command) throws IOException {
    return launch(new Scratch(), namespace, command, socket);
  }

  private static BackendProcess launch(
      Scratch scratch, @Nullable NetworkNamespace namespace, List<String> command, Path awaited)
      throws IOException {
    List<String> whole = namespace == null ? command : namespace.inside(command);
    ManagedProcess process = ManagedProcess.start(whole, Map.of(), scratch.path("log"));
    long deadline = System.nanoTime() + START.toNanos();
    try {
      while (!java.nio.file.Files.exists(awaited)) {
        process.requireAlive();
        if (System.nanoTime() > deadline) {
          throw new IOException("the back-end did not start: " + process.tail());
        }
        LockSupport.parkNanos(STEP_NANOS);
      }
      return new BackendProcess(scratch, process);
    } catch (IOException e) {
      process.close();
      scratch.close();
      throw e;
    }
  }

  /** What {@code vhost-netmap status --json} says, asked on the control socket. */
  public Json status() throws IOException {
    return Json.parse(ask("status json"));
  }

  private String ask(String request) throws IOException {
    try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(scratch.path("control")))) {
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(UTF_8)));
      return new String(Channels.newInputStream(channel).readAllBytes(), UTF_8);
    }
  }

  /** The control socket, for {@code vhost-netmap status --control}. */
  public Path control() {
    return scratch.path("control");
  }

  /** The part of the status about the port whose name contains {@code name}. */
  public Json port(String name) throws IOException {
    for (Json port : status().at("ports").list()) {
      if (port.at("name").string().contains(name)) {
        return port;
      }
    }
    throw new IOException("no port " + name);
  }

  /** Everything it logged. */
  public String log() throws IOException {
    return process.log();
  }

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** Whether it still runs. */
  public boolean isAlive() {
    return process.isAlive();
  }

  /** SIGTERM; the exit status, or -1 when it took longer than 5 seconds and was killed. */
  public int stop() {
    return process.terminate(END);
  }

  /** SIGKILL: the end without any chance to tidy up. */
  public void kill() {
    process.kill();
    process.await(END);
  }

  @Override
  public void close() {
    process.close();
    scratch.close();
  }
}
