// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AffinityTest {
  private static String allowed() throws Exception {
    return Files.readAllLines(Path.of("/proc/thread-self/status")).stream()
        .filter(line -> line.startsWith("Cpus_allowed_list:"))
        .findFirst()
        .orElseThrow()
        .replaceFirst(".*:\\s*", "");
  }

  private static int someCpu() {
    return IntStream.range(0, Affinity.CPUS)
        .filter(
            cpu -> {
              try {
                return Affinity.isAvailable(cpu);
              } catch (ErrnoException e) {
                throw new IllegalStateException(e);
              }
            })
        .max()
        .orElseThrow();
  }

  @Test
  void bindsTheCallingThreadAndNoOther() throws Exception {
    int cpu = someCpu();
    String before = allowed();
    String[] bound = new String[1];
    Thread thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    Affinity.bind(cpu);
                    bound[0] = allowed();
                  } catch (Exception e) {
                    bound[0] = e.toString();
                  }
                });
    thread.join();
    assertEquals(Integer.toString(cpu), bound[0]);
    assertEquals(before, allowed());
  }

  @Test
  void askingLeavesTheThreadWhereItMayRun() throws Exception {
    String before = allowed();
    assertTrue(Affinity.isAvailable(someCpu()));
    assertEquals(before, allowed());
  }

  @Test
  void aProcessorThatIsNotThereIsRefused() throws Exception {
    int none = Affinity.CPUS - 1;
    assertFalse(Affinity.isAvailable(none));
    assertEquals(
        Errno.EINVAL, assertThrows(ErrnoException.class, () -> Affinity.bind(none)).errno());
    assertFalse(Affinity.isAvailable(Affinity.CPUS));
    assertFalse(Affinity.isAvailable(-1));
  }
}
