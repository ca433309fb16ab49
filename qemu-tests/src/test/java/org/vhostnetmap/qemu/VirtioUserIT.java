// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** DPDK's virtio-user as the front-end: another driver of the rings, fast, and counted exactly. */
class VirtioUserIT {
  private static final int ENOUGH = 200_000;

  /**
   * Pairs of queues, what the device is told. DPDK has a path of its own for each: mergeable or
   * not, in order or not, both formats of rings, with vector instructions where the processor has
   * them. "queue_size" is DPDK's; of a packed ring it may be any number.
   */
  private static final String FORMS =
      """
      1; in_order=0
      1; in_order=0,mrg_rxbuf=0
      1; in_order=0,mrg_rxbuf=0,vectorized=1
      2; in_order=1
      1; in_order=1,mrg_rxbuf=0
      1; packed_vq=1,in_order=0
      1; packed_vq=1,in_order=0,mrg_rxbuf=0
      2; packed_vq=1,in_order=1
      1; packed_vq=1,in_order=1,mrg_rxbuf=0
      1; packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1
      1; packed_vq=1,in_order=1,queue_size=1024
      """;

  /** Fails when DPDK did not take the format that the row is about. */
  private static void requireFormat(Lab lab, String options) throws IOException {
    boolean packed =
        lab.backend().port("vhost:").at("vhost", "features").list().stream()
            .map(Json::string)
            .anyMatch("VIRTIO_F_RING_PACKED"::equals);
    assertEquals(options.contains("packed_vq=1"), packed, "packed rings negotiated");
  }

  private static void await(String what, java.util.concurrent.Callable<Boolean> condition) {
    Awaitility.await(what)
        .atMost(Duration.ofSeconds(30))
        .pollInterval(Duration.ofMillis(200))
        .until(condition);
  }

  private static long sum(Lab lab, String direction, int queues) throws IOException {
    long sum = 0;
    for (int i = 0; i < queues; i++) {
      sum += lab.frames("vhost:", direction + i);
    }
    return sum;
  }

  @ParameterizedTest(name = "{0} pairs, {1}")
  @CsvSource(delimiter = ';', textBlock = FORMS)
  void everyFrameThatDpdkSendsIsCounted(int queues, String options) throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a,queues=" + queues, "null:");
      try (var user = VirtioUser.start(lab.path("a"), queues, options)) {
        user.command("set fwd txonly");
        user.command("start");
        await("frames arrive", () -> sum(lab, "tx", queues) > ENOUGH);
        requireFormat(lab, options);
        user.command("stop");
        long sent = user.counter("TX-packets");
        await("all " + sent + " frames counted", () -> sum(lab, "tx", queues) == sent);
        System.out.println(
            "virtio-user sent "
                + sent
                + " frames by "
                + queues
                + " pairs, all counted; "
                + options);
      }
      assertEquals(0, lab.backend().status().at("unexplained").number());
    }
  }

  @ParameterizedTest(name = "{0} pairs, {1}")
  @CsvSource(delimiter = ';', textBlock = FORMS)
  void dpdkReceivesEveryFrameThatWasDelivered(int queues, String options) throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a,queues=" + queues, "pktgen:len=64,rate=50000");
      try (var user = VirtioUser.start(lab.path("a"), queues, options)) {
        user.command("set fwd rxonly");
        user.command("start");
        await("frames arrive", () -> user.counter("RX-packets") > ENOUGH / 4);
        requireFormat(lab, options);
        // At the same moment they differ by what is under way: less than the rings hold.
        long delivered = sum(lab, "rx", queues);
        long received = user.counter("RX-packets");
        System.out.println(
            "delivered " + delivered + ", virtio-user received " + received + "; " + options);
        assertTrue(
            received >= delivered - 1024L * queues,
            delivered + " delivered, " + received + " received");
      }
    }
  }
}
