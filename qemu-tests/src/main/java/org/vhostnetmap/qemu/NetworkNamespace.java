// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A network namespace without a name, held by a process that waits for the end of its standard
 * input: when this process ends, however that happens, the namespace and every TAP, veth and
 * address in it are gone. Without root it lies in a user namespace of its own, where this user is
 * root.
 */
public final class NetworkNamespace implements AutoCloseable {
  private static final int PASSES = 100;
  private static final Duration USUAL = Duration.ofSeconds(30);

  private final Process holder;
  private final boolean root;

  /** Makes the namespace, with its loopback interface up. */
  public NetworkNamespace() throws IOException {
    root = ProcessHandle.current().info().user().filter("root"::equals).isPresent();
    var command = new ArrayList<String>(List.of("unshare", root ? "-n" : "-Urn"));
    command.addAll(List.of("sh", "-c", "ip link set lo up && echo ready && exec cat"));
    holder = new ProcessBuilder(command).redirectErrorStream(true).start();
    String answer = firstLine(holder.getInputStream());
    if (!answer.equals("ready")) {
      throw new IOException("no network namespace: " + answer);
    }
  }

  private static String firstLine(InputStream in) throws IOException {
    var line = new StringBuilder();
    for (int c = in.read(); c != -1 && c != '\n'; c = in.read()) {
      line.append((char) c);
    }
    return line.toString();
  }

  /** {@code command} so that it runs inside; the process it becomes is the command's own. */
  public List<String> inside(List<String> command) {
    var whole = new ArrayList<String>(List.of("nsenter", "-t", Long.toString(holder.pid())));
    whole.addAll(root ? List.of("-n") : List.of("-U", "--preserve-credentials", "-n"));
    whole.add("--");
    whole.addAll(command);
    return whole;
  }

  /** Runs a shell command inside, for at most 30 seconds. */
  public Output run(String command) throws IOException {
    return run(command, USUAL);
  }

  /** Runs a shell command inside; status -1 when it was killed because the time was over. */
  public Output run(String command, Duration time) throws IOException {
    var builder = new ProcessBuilder(inside(List.of("sh", "-c", command)));
    Process process = builder.redirectErrorStream(true).start();
    process.getOutputStream().close();
    try {
      var killer = Thread.ofVirtual().start(() -> killAfter(process, time));
      String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int status = process.waitFor();
      boolean late = !killer.isAlive() && status == 128 + 9;
      killer.interrupt();
      return new Output(command, late ? -1 : status, text);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted: " + command, e);
    }
  }

  private static void killAfter(Process process, Duration time) {
    try {
      if (!process.waitFor(time.toMillis(), TimeUnit.MILLISECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The text of a command that has to succeed. */
  public String get(String command) throws IOException {
    return run(command).orThrow();
  }

  /**
   * Makes a persistent TAP with an address, such as {@code 10.0.0.1/24}, that a back-end can attach
   * to and leave again.
   */
  public void tap(String name, String address) throws IOException {
    get(
        "ip tuntap add "
            + name
            + " mode tap && ip addr add "
            + address
            + " dev "
            + name
            + " && ip link set "
            + name
            + " up");
  }

  /**
   * A cable (veth) from {@code name} here to {@code otherName} in another namespace, which has to
   * be of the same user namespace: root's.
   */
  public void connect(String name, NetworkNamespace other, String otherName) throws IOException {
    get(
        "ip link add "
            + name
            + " type veth peer name "
            + otherName
            + " netns "
            + other.holder.pid());
  }

  /** Ends what still runs inside, too: a namespace lives as long as a process is in it. */
  @Override
  public void close() {
    List<ProcessHandle> inside = processesInside();
    for (int i = 0; i < PASSES && !inside.isEmpty(); i++) { // one may have started another
      inside.forEach(ProcessHandle::destroyForcibly);
      inside = processesInside();
    }
    holder.destroy();
    try {
      holder.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Those that we may look at; a process that ends meanwhile is none. */
  private List<ProcessHandle> processesInside() {
    Path its = namespaceOf(holder.toHandle());
    if (!holder.isAlive() || its == null || its.equals(namespaceOf(ProcessHandle.current()))) {
      return List.of();
    }
    return ProcessHandle.allProcesses()
        .filter(process -> process.pid() != holder.pid() && its.equals(namespaceOf(process)))
        .toList();
  }

  private static @Nullable Path namespaceOf(ProcessHandle process) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/" + process.pid() + "/ns/net"));
    } catch (IOException gone) {
      return null;
    }
  }
}
