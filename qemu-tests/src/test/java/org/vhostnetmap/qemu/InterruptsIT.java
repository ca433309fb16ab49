// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * The three forms that Linux's vp_find_vqs tries in turn: a vector for each queue, one vector for
 * all queues, the legacy interrupt. In each the guest's own counters have to grow with traffic.
 */
class InterruptsIT {
  private static final Pattern BLANKS = Pattern.compile("\\s+");

  /** The counters of the lines of /proc/interrupts whose name begins with virtio, by name. */
  private static Map<String, Long> interrupts(GuestShell guest) throws IOException {
    var counts = new TreeMap<String, Long>();
    for (String line : guest.get("grep virtio /proc/interrupts").lines().toList()) {
      // "24:   3   0   PCI-MSI 16385-edge   virtio0-input.0": a count for each processor, the name
      // last.
      List<String> words = BLANKS.splitAsStream(line.strip()).toList();
      long sum = 0;
      for (int i = 1; words.get(i).matches("\\d+"); i++) {
        sum += Long.parseLong(words.get(i));
      }
      counts.put(words.getLast(), sum);
    }
    return counts;
  }

  private static long count(Map<String, Long> interrupts, String name) {
    Long count = interrupts.get(name);
    assertTrue(count != null, name + " in " + interrupts);
    return count == null ? 0 : count;
  }

  @Test
  void eachQueueOfTwoPairsHasItsOwnVector() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a,queues=2", "tap:tap0");
      Vm vm = lab.boot(1, lab.nic(1, "a").queuePairs(2), builder -> builder.processors(2));
      GuestShell guest = vm.shell();
      assertEquals("2", guest.get("ls -d /sys/class/net/eth0/queues/rx-* | wc -l"));
      assertEquals(
          "2", guest.get("/opt/bin/ethtool -l eth0 | grep Combined | tail -1 | tr -dc 0-9"));
      Map<String, Long> before = interrupts(guest);
      for (int i = 0; i < 12; i++) { // many flows: both receiveqs get some
        guest.get("wget -q -O /dev/null http://" + Lab.HOST + ":8000/data");
      }
      lab.assertTraffic(guest, 1);
      Map<String, Long> after = interrupts(guest);
      System.out.println("vector for each queue: " + before + " -> " + after);
      assertEquals(5, after.size(), after.toString());
      for (String queue : new String[] {"virtio0-input.0", "virtio0-input.1"}) {
        assertTrue(count(after, queue) > count(before, queue), queue + " does not count: " + after);
      }
      assertTrue(after.containsKey("virtio0-output.0") && after.containsKey("virtio0-output.1"));
      assertTrue(lab.frames("vhost:", "rx0") > 0 && lab.frames("vhost:", "rx1") > 0);
      assertTrue(lab.frames("vhost:", "tx0") + lab.frames("vhost:", "tx1") > 0);
      for (int pairs : new int[] {1, 2, 1}) {
        guest.get("/opt/bin/ethtool -L eth0 combined " + pairs);
        lab.assertTraffic(guest, 1);
        System.out.println("traffic with " + pairs + " of 2 pairs in use");
      }
    }
  }

  @Test
  void allQueuesShareOneVector() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "tap:tap0");
      GuestShell guest = lab.boot(1, lab.nic(1, "a").vectors(2)).shell();
      Map<String, Long> before = interrupts(guest);
      lab.assertTraffic(guest, 1);
      Map<String, Long> after = interrupts(guest);
      System.out.println("one shared vector: " + before + " -> " + after);
      assertTrue(
          count(after, "virtio0-virtqueues") > count(before, "virtio0-virtqueues"),
          after.toString());
      assertEquals(2, after.size(), after.toString());
    }
  }

  @Test
  void legacyInterruptWithoutVectorsOnTheOlderMachine() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "tap:tap0");
      GuestShell guest =
          lab.boot(1, lab.nic(1, "a").vectors(0), builder -> builder.machine("pc")).shell();
      Map<String, Long> before = interrupts(guest);
      lab.assertTraffic(guest, 1);
      Map<String, Long> after = interrupts(guest);
      System.out.println("legacy interrupt: " + before + " -> " + after);
      assertTrue(count(after, "virtio0") > count(before, "virtio0"), after.toString());
      assertEquals(1, after.size(), after.toString());
    }
  }
}
