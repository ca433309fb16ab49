// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/**
 * The program's netmap ports with DPDK's virtio-user as the guest: on the netmap module of this
 * kernel where there is one (the guest of scripts/test-netmap-kernel), else on the emulated one.
 *
 * <pre>
 *   testpmd (10.78.0.2) -- vhost-netmap -- netmap:nm0 ==== veth ==== nm1 (10.78.0.3, namespace peer)
 *                                             |
 *                                           host (10.78.0.1 on nm0 itself)
 * </pre>
 */
class NetmapIT {
  private static final String GUEST = "10.78.0.2";
  private static final boolean REAL = Files.isWritable(Path.of("/dev/netmap"));

  /** Two namespaces with a cable between them, a back-end in the first, a guest that answers. */
  private static final class Cable implements AutoCloseable {
    final NetworkNamespace host = new NetworkNamespace();
    final NetworkNamespace peer = new NetworkNamespace();
    final Scratch scratch = new Scratch();

    Cable() throws IOException {
      host.connect("nm0", peer, "nm1");
      host.get("ip addr add 10.78.0.1/24 dev nm0; ip link set nm0 up");
      peer.get("ip addr add 10.78.0.3/24 dev nm1; ip link set nm1 up");
      // netmap takes no frame whose checksum is still to be done.
      for (NetworkNamespace namespace : new NetworkNamespace[] {host, peer}) {
        for (String feature : new String[] {"tx", "sg", "tso", "gso", "gro"}) {
          namespace.run("ethtool -K nm0 " + feature + " off; ethtool -K nm1 " + feature + " off");
        }
      }
    }

    Path socket() {
      return scratch.path("vm");
    }

    @Override
    public void close() {
      host.close();
      peer.close();
      scratch.close();
    }
  }

  private static void assertTellsWhichNetmap(BackendProcess backend) throws IOException {
    String log = backend.log();
    assertTrue(
        log.contains(REAL ? "netmap: the kernel's netmap" : "netmap: the emulated netmap"), log);
    log.lines().filter(line -> line.contains("netmap: the ")).forEach(System.out::println);
  }

  /** Ten pings, all answered, after the first one that is. */
  private static void assertPing(NetworkNamespace from, String address) throws IOException {
    Output first = from.run("ping -c 1 -w 10 " + address);
    assertTrue(first.ok(), first.text());
    Output ten = from.run("ping -c 10 -i 0.2 -w 20 " + address);
    assertTrue(ten.text().contains(" 0% packet loss"), ten.text());
  }

  private static void answer(VirtioUser guest) throws IOException {
    guest.command("set fwd icmpecho");
    guest.command("start");
  }

  @Test
  void guestAndPeerReachEachOtherThroughANic() throws Exception {
    try (var cable = new Cable();
        var backend = BackendProcess.start(cable.host, "vhost:" + cable.socket(), "netmap:nm0");
        var guest = VirtioUser.start(cable.socket(), 1, "")) {
      assertTellsWhichNetmap(backend);
      answer(guest);
      assertPing(cable.peer, GUEST);
      assertEquals(0, backend.status().at("unexplained").number());
    }
  }

  @Test
  void hostKeepsItsAddressWhileGuestsShareTheNic() throws Exception {
    try (var cable = new Cable();
        var backend = BackendProcess.start(cable.host, "vhost:" + cable.socket(), "netmap:nm0*")) {
      assertPing(cable.peer, "10.78.0.1");
      assertPing(cable.host, "10.78.0.3");
      try (var guest = VirtioUser.start(cable.socket(), 1, "")) {
        answer(guest);
        assertPing(cable.host, GUEST);
        assertPing(cable.peer, GUEST);
      }
      assertEquals(0, backend.status().at("unexplained").number());
      assertEquals(0, backend.stop());
      assertPing(cable.peer, "10.78.0.1");
    }
  }

  @Test
  void everyFrameThatTheGuestSendsIsCounted() throws Exception {
    try (var cable = new Cable();
        var backend = BackendProcess.start(cable.host, "vhost:" + cable.socket(), "netmap:nm0");
        var guest = VirtioUser.start(cable.socket(), 1, "")) {
      guest.command("set fwd txonly");
      guest.command("start");
      await(() -> received(cable.peer) > 20_000);
      guest.command("stop");
      // A wire holds the guest back, so nothing is dropped on the way to the NIC.
      long sent = guest.counter("TX-packets");
      await(() -> received(cable.peer) >= sent);
      assertEquals(0, backend.status().at("unexplained").number());
    }
  }

  private static long received(NetworkNamespace peer) throws IOException {
    // Not /sys, which shows the namespace that it was mounted in.
    String packets = "sed -n 's/.*nm1: *[0-9]* *\\([0-9]*\\) .*/\\1/p' /proc/net/dev";
    return Long.parseLong(peer.get(packets).trim());
  }

  private static void await(java.util.concurrent.Callable<Boolean> condition) {
    Awaitility.await()
        .atMost(Duration.ofSeconds(60))
        .pollInterval(Duration.ofMillis(200))
        .until(condition);
  }

  /** Two programs meet in the kernel: in ours each has a netmap of its own. */
  @Test
  void twoProcessesMeetInAPipeOfTheKernels() throws Exception {
    meet("netmap:pp0{1", "netmap:pp0}1");
  }

  @Test
  void twoProcessesMeetInAValeSwitchOfTheKernels() throws Exception {
    meet("vale7:one", "vale7:other");
  }

  private static void meet(String onePort, String otherPort) throws Exception {
    assumeTrue(REAL, "no netmap module in this kernel: scripts/test-netmap-kernel runs this");
    try (var cable = new Cable();
        var scratch = new Scratch();
        var one = BackendProcess.start(cable.host, "vhost:" + cable.socket(), onePort);
        var other = BackendProcess.start(cable.host, "vhost:" + scratch.path("vm"), otherPort);
        var sender = VirtioUser.start(cable.socket(), 1, "");
        var receiver = VirtioUser.start(scratch.path("vm"), 1, "")) {
      receiver.command("set fwd rxonly");
      receiver.command("start");
      sender.command("set fwd txonly");
      sender.command("start");
      await(() -> receiver.counter("RX-packets") > 5000);
      sender.command("stop");
      assertEquals(0, one.status().at("unexplained").number());
      assertEquals(0, other.status().at("unexplained").number());
    }
  }
}
