// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several queue pairs of real front-ends on several workers: no frame is lost uncounted. */
class MultiQueueIT {
  private static final int ENOUGH = 200_000;
  private static final int DPDK_PAIRS = 8;
  private static final int QEMU_PAIRS = 4;

  private static void await(String what, Callable<Boolean> condition) {
    Awaitility.await(what)
        .atMost(Duration.ofSeconds(30))
        .pollInterval(Duration.ofMillis(200))
        .until(condition);
  }

  /** Frames of all queues in one direction of the port that {@code port} names. */
  private static long sum(Lab lab, String port, String direction, int pairs) throws IOException {
    long sum = 0;
    for (int pair = 0; pair < pairs; pair++) {
      sum += lab.frames(port, direction + pair);
    }
    return sum;
  }

  /** Frames that the port's queues dropped of those that were to go to it. */
  private static long dropped(Lab lab, String port) throws IOException {
    long sum = 0;
    for (Json queue : lab.backend().port(port).at("queues").list()) {
      if (queue.at("direction").string().equals("to_port") && queue.at("drops").has("no_buffers")) {
        sum += queue.at("drops", "no_buffers").number();
      }
    }
    return sum;
  }

  private static void assertAllExplained(Lab lab) throws IOException {
    assertEquals(0, lab.backend().status().at("unexplained").number(), "frames without a fate");
  }

  @ParameterizedTest(name = "{0} workers, {1}")
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          2; in_order=0
          3; in_order=1
          4; packed_vq=1,in_order=0
          4; packed_vq=1,in_order=1
          """)
  void whatOneDpdkSendsOnEightPairsTheOtherReceivesOnEight(int workers, String options)
      throws Exception {
    try (var lab = new Lab()) {
      lab.start("--workers=" + workers, "vhost:a,queues=8", "vhost:b,queues=8");
      try (var receiver = VirtioUser.start(lab.path("b"), DPDK_PAIRS, options);
          var sender =
              VirtioUser.start(lab.path("a"), DPDK_PAIRS, options, "--txonly-multi-flow")) {
        receiver.command("set fwd rxonly");
        receiver.command("start");
        sender.command("set fwd txonly");
        sender.command("start");
        await("frames arrive", () -> sum(lab, "/b", "rx", DPDK_PAIRS) > ENOUGH);
        sender.command("stop");
        long sent = sender.counter("TX-packets");
        await("all " + sent + " taken", () -> sum(lab, "/a", "tx", DPDK_PAIRS) == sent);
        long delivered = sum(lab, "/b", "rx", DPDK_PAIRS);
        assertEquals(sent, delivered + dropped(lab, "/b"), "delivered or dropped");
        await(delivered + " frames received", () -> receiver.counter("RX-packets") == delivered);
        for (int pair = 0; pair < DPDK_PAIRS; pair++) {
          assertTrue(lab.frames("/a", "tx" + pair) > 0, "sent on pair " + pair);
          assertTrue(lab.frames("/b", "rx" + pair) > 0, "received on pair " + pair);
        }
        System.out.println(
            workers + " workers, " + sent + " sent, " + delivered + " received; " + options);
      }
      assertAllExplained(lab);
    }
  }

  /** A counter of the guest's card, as its own kernel has it. */
  private static long guestFrames(GuestShell guest, String name) throws IOException {
    return Long.parseLong(guest.get("cat /sys/class/net/eth0/statistics/" + name));
  }

  /** Several flows at a time, both ways. */
  private static void load(Lab lab, GuestShell guest) throws IOException {
    String fetch = "wget -q -O /dev/null http://" + Lab.HOST + ":8000/data & ";
    guest.get(fetch.repeat(12) + "wait");
    lab.assertTraffic(guest, 1);
  }

  @ParameterizedTest(name = "{0} workers, {1}")
  @CsvSource({"2, packed=off", "4, packed=on"})
  void guestThatEnablesMoreAndFewerOfFourPairsCountsTheFramesThatWeCount(
      int workers, String properties) throws Exception {
    try (var lab = new Lab()) {
      lab.start("--workers=" + workers, "vhost:a,queues=4", "tap:tap0");
      Nic nic = lab.nic(1, "a").queuePairs(QEMU_PAIRS).with(properties);
      GuestShell guest =
          lab.boot(1, nic, builder -> builder.processors(QEMU_PAIRS).memoryMib(256)).shell();
      for (int pairs : new int[] {4, 2, 3, 1, 4}) {
        guest.get("/opt/bin/ethtool -L eth0 combined " + pairs);
        List<Long> before = received(lab);
        load(lab, guest);
        List<Long> after = received(lab);
        for (int pair = pairs; pair < QEMU_PAIRS; pair++) {
          assertEquals(
              before.get(pair), after.get(pair), "frames on pair " + pair + " of " + pairs);
        }
        System.out.println(pairs + " of 4 pairs, received by pair: " + before + " -> " + after);
      }
      for (int pair = 0; pair < QEMU_PAIRS; pair++) {
        assertTrue(lab.frames("vhost:", "rx" + pair) > 0, "received on pair " + pair);
      }
      await(
          "all frames to the guest",
          () -> guestFrames(guest, "rx_packets") == sum(lab, "vhost:", "rx", QEMU_PAIRS));
      await(
          "all frames of the guest",
          () -> guestFrames(guest, "tx_packets") == sum(lab, "vhost:", "tx", QEMU_PAIRS));
      assertAllExplained(lab);
    }
  }

  private static List<Long> received(Lab lab) throws IOException {
    List<Long> frames = new ArrayList<>();
    for (int pair = 0; pair < QEMU_PAIRS; pair++) {
      frames.add(lab.frames("vhost:", "rx" + pair));
    }
    return frames;
  }
}
