// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

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
    return program("ip", arguments);
  }

  /** The same for another program. */
  static String program(String program, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(arguments));
    command.addFirst(program);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ": " + output);
    return output;
  }

  /** A pair of joined devices, both up and without IPv6; skips the test where there are none. */
  static void vethPair(String one, String other) throws Exception {
    Process process =
        new ProcessBuilder("ip", "link", "add", one, "type", "veth", "peer", "name", other)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    Assumptions.assumeTrue(process.waitFor() == 0, () -> "no veth devices here: " + output);
    for (String name : List.of(one, other)) {
      // Else the kernel's own IPv6 frames come between the test's.
      String ipv6 = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
      program("sh", "-c", "test ! -e " + ipv6 + " || echo 1 > " + ipv6);
      run("link", "set", name, "up");
    }
  }
}
