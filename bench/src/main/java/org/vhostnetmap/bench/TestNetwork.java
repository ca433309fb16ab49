// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A network namespace with two cables: ours0 to ours1, and dpdk0 to dpdk1. */
final class TestNetwork implements AutoCloseable {
  private static final Pattern RECEIVED =
      Pattern.compile("\"rx\":\\{\"bytes\":\\d+,\"packets\":(\\d+)");

  private final String name = "vnmbench" + ProcessHandle.current().pid();
  private final AtExit.Undoing removal = () -> run(List.of("ip", "netns", "del", name));

  TestNetwork() throws IOException {
    run(List.of("ip", "netns", "add", name));
    AtExit.add(removal);
    try {
      for (String side : List.of("ours", "dpdk")) {
        ip("link", "add", side + 0, "type", "veth", "peer", "name", side + 1);
        ip("link", "set", side + 0, "addrgenmode", "none", "up");
        ip("link", "set", side + 1, "addrgenmode", "none", "up");
      }
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  String name() {
    return name;
  }

  /** What a command line begins with to run in here. */
  List<String> command() {
    return List.of("ip", "netns", "exec", name);
  }

  private String ip(String... words) throws IOException {
    String[] command = new String[words.length + 3];
    command[0] = "ip";
    command[1] = "-n";
    command[2] = name;
    System.arraycopy(words, 0, command, 3, words.length);
    return run(List.of(command));
  }

  /** Frames that arrived at a NIC. */
  long received(String nic) throws IOException {
    Matcher matcher = RECEIVED.matcher(ip("-s", "-j", "link", "show", nic));
    if (!matcher.find()) {
      throw new IOException("ip tells no counters of " + nic);
    }
    return Long.parseLong(matcher.group(1));
  }

  static String run(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException(String.join(" ", command) + ": " + output.strip());
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
    return output;
  }

  @Override
  public void close() {
    AtExit.remove(removal);
    try {
      run(List.of("ip", "netns", "del", name));
    } catch (IOException e) {
      System.err.println(e.getMessage());
    }
  }
}
