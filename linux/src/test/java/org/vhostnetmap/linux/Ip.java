// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;

/** The program ip(8), in the network namespace of the calling thread. */
final class Ip {
  private static final long SIOCGIFINDEX = 0x8933;

  private Ip() {}

  /** The number of an interface. */
  static int index(String name) throws ErrnoException {
    InterfaceRequest request = new InterfaceRequest(name);
    request.send(SIOCGIFINDEX, "index of " + name);
    return request.number();
  }

  /** Its output; fails the test when it fails. */
  static String run(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 1];
    command[0] = "ip";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ": " + output);
    return output;
  }
}
