// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * NICs and the host's own way through them, on one end of a veth pair in a network namespace. At
 * the other end is a {@link Peer}; the host has the address {@link Arp#HOST} on the NIC itself.
 */
public abstract class NicConformance extends Conformance {
  static final String NIC = "nc0";
  private static final String OTHER = "nc1";
  private static final long PEER = Frames.mac(0x77);

  /** One test's body; the peer is at the cable's other end. */
  @FunctionalInterface
  interface Body {
    void run(Peer peer) throws Exception;
  }

  /** The NIC's rings alone. */
  private static final RegisterRequest ALONE =
      RegisterRequest.of(NIC).withFlags(NetmapAbi.NR_EXCLUSIVE);

  private static final RegisterRequest WITH_HOST = ALONE.with(PortMode.NIC_AND_HOST, 0);

  private void onCable(Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth(NIC, OTHER);
          command("ip", "addr", "add", Arp.HOST + "/24", "dev", NIC);
          try (Peer peer = new Peer(OTHER)) {
            body.run(peer);
          } finally {
            closePorts();
          }
        });
  }

  static void await(Callable<Boolean> condition) {
    Awaitility.await()
        .pollInSameThread()
        .atMost(Duration.ofSeconds(10))
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(2))
        .until(condition);
  }

  /** Syncs until {@code count} frames of ours have come out of the rings. */
  private static List<byte[]> awaitFrames(NetmapPort port, List<NetmapRing> rings, int count) {
    List<byte[]> frames = new ArrayList<>();
    await(
        () -> {
          port.rxSync();
          rings.forEach(ring -> frames.addAll(take(ring)));
          return frames.size() >= count;
        });
    return frames;
  }

  private static List<byte[]> awaitAtPeer(Peer peer, int count) {
    List<byte[]> frames = new ArrayList<>();
    await(
        () -> {
          frames.addAll(peer.receive());
          return frames.size() >= count;
        });
    return frames;
  }

  private static byte[] toNic(int number) throws Exception {
    return Frames.numbered(NetDevice.of(NIC).mac(), PEER, number);
  }

  @Test
  void receivesWhatComesOverTheWire() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          byte[] longest = Frames.numbered(NetDevice.of(NIC).mac(), PEER, 1, 1514);
          peer.send(longest);
          peer.send(toNic(2));
          List<byte[]> got = awaitFrames(port, port.rxRings(), 2);
          assertEquals(2, got.size());
          assertArrayEquals(longest, got.get(0));
          assertArrayEquals(toNic(2), got.get(1));
        });
  }

  @Test
  void sendsOverTheWire() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          byte[] longest = Frames.numbered(PEER, Frames.mac(1), 1, 1514);
          byte[] shortest = Frames.numbered(PEER, Frames.mac(1), 2);
          send(port, longest, shortest);
          List<byte[]> got = awaitAtPeer(peer, 2);
          assertArrayEquals(longest, got.get(0));
          assertArrayEquals(shortest, got.get(1));
        });
  }

  @Test
  void receivesFramesForOtherAddressesWhenPromiscuous() throws Exception {
    onCable(
        peer -> {
          command("ip", "link", "set", NIC, "promisc", "on");
          NetmapPort port = open(ALONE);
          byte[] frame = Frames.numbered(Frames.mac(5), PEER, 1);
          peer.send(frame);
          assertArrayEquals(frame, awaitFrames(port, port.rxRings(), 1).get(0));
        });
  }

  @Test
  void tellsTheNicsRings() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          int pairs = port.info().txRings();
          assertEquals(pairs, port.txRings().size());
          assertEquals(port.info().rxRings(), port.rxRings().size());
          assertEquals(1, port.hostTxRings().size());
          assertEquals(1, port.hostRxRings().size());
          assertEquals(pairs, port.hostTxRings().get(0).id(), "after the NIC's");
          assertEquals(1, port.info().memoryId(), "the memory that NICs share");
        });
  }

  @Test
  void hasAsManyHostRingsAsAsked() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST.withHostRings(2, 3));
          assertEquals(2, port.info().hostTxRings());
          assertEquals(3, port.info().hostRxRings());
          assertEquals(2, port.hostTxRings().size());
          assertEquals(3, port.hostRxRings().size());
        });
  }

  @Test
  void bindsNicAndHostRingsSeparately() throws Exception {
    onCable(
        peer -> {
          NetmapPort nic = open(ALONE);
          NetmapPort host = open(ALONE.with(PortMode.HOST, 0));
          assertEquals(List.of(), nic.hostRxRings());
          assertEquals(List.of(), host.rxRings());
          assertEquals(1, host.hostRxRings().size());
          assertRefused(Errno.EBUSY, () -> open(ALONE.with(PortMode.ONE_HOST, 0)));
          assertRefused(
              Errno.EINVAL, () -> open(RegisterRequest.of(NIC).with(PortMode.ONE_HOST, 9)));
          assertRefused(Errno.EBUSY, () -> open(NIC));
        });
  }

  @Test
  void cutsTheHostOffAndGivesTheNicBack() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          peer.send(Arp.request(PEER));
          List<byte[]> got = awaitFrames(port, port.rxRings(), 1);
          assertTrue(Arp.isRequest(got.get(0)));
          assertTrue(peer.receive().stream().noneMatch(Arp::isReply), "the host has answered");
          port.close();
          await(
              () -> {
                peer.send(Arp.request(PEER));
                return peer.receive().stream().anyMatch(Arp::isReply);
              });
        });
  }

  /** What a bridge of NIC and host does, by copying: one round. */
  private static void carry(NetmapPort port) {
    port.rxSync();
    for (byte[] frame : take(port.rxRings().get(0))) {
      put(port.hostTxRings().get(0), frame);
    }
    for (byte[] frame : take(port.hostRxRings().get(0))) {
      put(port.txRings().get(0), frame);
    }
    port.txSync();
  }

  @Test
  void reachesTheHostThroughItsRings() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          peer.send(Arp.request(PEER));
          List<byte[]> answers = new ArrayList<>();
          await(
              () -> {
                carry(port);
                answers.addAll(peer.receive());
                return answers.stream().anyMatch(Arp::isReply);
              });
          // And further: a ping of the address that is on the NIC itself.
          peer.send(Arp.ping(PEER, NetDevice.of(NIC).mac()));
          await(
              () -> {
                carry(port);
                answers.addAll(peer.receive());
                return answers.stream().anyMatch(Arp::isPong);
              });
        });
  }

  @Test
  void movesBuffersBetweenNicAndHostWithoutACopy() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          peer.send(Arp.request(PEER));
          await(
              () -> {
                port.rxSync();
                swapAll(port.rxRings().get(0), port.hostTxRings().get(0));
                swapAll(port.hostRxRings().get(0), port.txRings().get(0));
                port.txSync();
                return peer.receive().stream().anyMatch(Arp::isReply);
              });
        });
  }

  private static void swapAll(NetmapRing from, NetmapRing to) {
    while (from.space() > 0 && to.space() > 0) {
      to.set(to.head(), from.length(from.head()), 0);
      to.swap(to.head(), from, from.head());
      to.advanceTo(to.after(to.head(), 1));
      from.advanceTo(from.after(from.head(), 1));
    }
  }

  @Test
  void forwardsTransparently() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          NetmapRing nic = port.rxRings().get(0);
          NetmapRing host = port.hostRxRings().get(0);
          nic.setRingFlags(NetmapAbi.NR_FORWARD);
          host.setRingFlags(NetmapAbi.NR_FORWARD);
          peer.send(Arp.request(PEER));
          try (Epoll epoll = new Epoll(1)) {
            epoll.add(port.fd(), Epoll.IN, 0);
            await(
                () -> {
                  forwardAll(nic);
                  forwardAll(host);
                  port.arm();
                  epoll.await(1);
                  port.disarm();
                  port.rxSync();
                  port.txRings().forEach(NetmapRing::reload);
                  port.txSync();
                  return peer.receive().stream().anyMatch(Arp::isReply);
                });
          }
        });
  }

  private static void forwardAll(NetmapRing ring) {
    int slot = ring.head();
    for (int left = ring.space(); left > 0; left--) {
      ring.set(slot, ring.length(slot), NetmapAbi.NS_FORWARD);
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
  }

  @Test
  void forwardsNothingUnlessTheRingSaysSo() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          peer.send(Arp.request(PEER));
          await(
              () -> {
                port.rxSync();
                return port.rxRings().get(0).space() > 0;
              });
          forwardAll(port.rxRings().get(0));
          port.rxSync();
          peer.send(toNic(1));
          awaitFrames(port, port.rxRings(), 1);
          port.rxSync();
          assertTrue(take(port.hostRxRings().get(0)).stream().noneMatch(Arp::isReply));
        });
  }

  @Test
  void wakesWhoSleepsOnTheWire() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          try (Epoll epoll = new Epoll(1)) {
            epoll.add(port.fd(), Epoll.IN, 0);
            for (int i = 0; i < 20; i++) {
              port.arm();
              port.rxSync();
              peer.send(toNic(i));
              assertEquals(1, epoll.await(5000), "round " + i);
              port.disarm();
              assertEquals(List.of(i), numbers(awaitFrames(port, port.rxRings(), 1)));
              port.rxSync();
            }
          }
        });
  }

  @Test
  void wakesWhoSleepsOnTheHost() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(WITH_HOST);
          try (Epoll epoll = new Epoll(1)) {
            epoll.add(port.fd(), Epoll.IN, 0);
            port.arm();
            port.rxSync();
            take(port.hostRxRings().get(0));
            Process ping = new ProcessBuilder("ping", "-c", "1", "-W", "1", Arp.PEER).start();
            assertEquals(1, epoll.await(5000));
            port.disarm();
            assertTrue(
                awaitFrames(port, port.hostRxRings(), 1).stream().anyMatch(Arp::isRequest),
                "the host asks who has the address");
            ping.destroy();
            ping.waitFor();
          }
        });
  }

  /**
   * Order is veth's affair: its frames wait in a queue of the sender's processor, so a sender that
   * is moved to another one may overtake itself.
   */
  @Test
  void losesAndDoublesNothingWithinTheRing() throws Exception {
    onCable(
        peer -> {
          NetmapPort here = open(ALONE);
          NetmapPort there = open(RegisterRequest.of(OTHER).withFlags(NetmapAbi.NR_EXCLUSIVE));
          int window = Math.min(100, there.rxRings().get(0).slots() / 2);
          int frames = 100_000;
          BitSet seen = new BitSet(frames);
          int[] count = {0, 0}; // sent, got
          long mac = NetDevice.of(OTHER).mac();
          await(
              Duration.ofMinutes(2),
              () -> {
                NetmapRing tx = here.txRings().get(0);
                while (count[0] < frames && count[0] - count[1] < window && tx.space() > 0) {
                  put(tx, Frames.numbered(mac, PEER, count[0]++));
                }
                here.txSync();
                for (byte[] frame : receive(there)) {
                  int number = Frames.number(frame);
                  assertFalse(seen.get(number), () -> number + " came twice");
                  seen.set(number);
                  count[1]++;
                }
                return count[1] == frames;
              });
          assertEquals(frames, seen.cardinality());
          assertEquals(List.of(), receive(there));
        });
  }

  private static void await(Duration most, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + most.toNanos();
    while (!condition.call()) {
      assertTrue(System.nanoTime() < end, "not within " + most);
    }
  }

  @Test
  void opensAndClosesManyTimes() throws Exception {
    onCable(
        peer -> {
          for (int i = 0; i < 20; i++) {
            NetmapPort port = device().register(WITH_HOST);
            peer.send(toNic(i));
            assertEquals(List.of(i), numbers(awaitOurs(port)));
            port.close();
          }
        });
  }

  private static List<byte[]> awaitOurs(NetmapPort port) {
    return awaitFrames(port, port.rxRings(), 1).stream().filter(f -> f.length == 60).toList();
  }

  @Test
  void plugsTheNicIntoASwitch() throws Exception {
    onCable(
        peer -> {
          String vale = fresh("vale");
          NetmapPort guest = open(vale + ":g");
          device().attach(RegisterRequest.of(vale + ":" + NIC));
          assertRefused(Errno.EBUSY, () -> open(NIC));
          assertTrue(
              device().valePorts().stream().anyMatch(p -> p.name().equals(vale + ":" + NIC)));
          peer.send(Frames.numbered(Frames.mac(9), PEER, 1));
          assertEquals(1, Frames.number(awaitFrames(guest, guest.rxRings(), 1).get(0)));
          send(guest, Frames.numbered(PEER, Frames.mac(9), 2));
          assertTrue(numbers(awaitAtPeer(peer, 1)).contains(2));
          device().detach(vale + ":" + NIC);
          open(NIC);
        });
  }

  @Test
  void plugsTheHostIntoASwitchToo() throws Exception {
    onCable(
        peer -> {
          String vale = fresh("vale");
          NetmapPort guest = open(vale + ":g");
          device().attach(RegisterRequest.of(vale + ":" + NIC).with(PortMode.NIC_AND_HOST, 0));
          send(guest, Arp.request(Frames.mac(9)));
          await(() -> receive(guest).stream().anyMatch(Arp::isReply));
          peer.send(Arp.request(PEER));
          await(() -> peer.receive().stream().anyMatch(Arp::isReply));
          device().detach(vale + ":" + NIC);
        });
  }

  @Test
  void hangsPipesOnTheNicInItsMemory() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          NetmapPort master = open(NIC + "{1");
          NetmapPort slave = open(NIC + "}1");
          assertEquals(port.info().memoryId(), master.info().memoryId());
          peer.send(toNic(1));
          await(
              () -> {
                port.rxSync();
                return port.rxRings().get(0).space() > 0;
              });
          swapAll(port.rxRings().get(0), master.txRings().get(0));
          master.txSync();
          assertEquals(List.of(1), numbers(receive(slave)));
        });
  }

  @Test
  void letsMonitorsSeeTheNic() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          NetmapPort monitor =
              open(
                  RegisterRequest.of(NIC)
                      .withFlags(NetmapAbi.NR_MONITOR_RX | NetmapAbi.NR_MONITOR_TX));
          peer.send(toNic(1));
          assertEquals(List.of(1), numbers(awaitFrames(port, port.rxRings(), 1)));
          send(port, Frames.numbered(PEER, Frames.mac(1), 2));
          assertEquals(List.of(1, 2), numbers(awaitFrames(monitor, monitor.rxRings(), 2)));
        });
  }

  @Test
  void letsGoOfANicThatIsTakenAway() throws Exception {
    onCable(
        peer -> {
          NetmapPort port = open(ALONE);
          peer.send(toNic(1));
          awaitFrames(port, port.rxRings(), 1);
          // The kernel's netmap keeps the one who deletes it waiting until the port is closed.
          Process delete = new ProcessBuilder("ip", "link", "del", NIC).start();
          await(() -> !isThere(NIC));
          port.rxSync();
          port.txSync();
          port.close();
          assertTrue(delete.waitFor(10, TimeUnit.SECONDS));
          assertRefused(Errno.ENXIO, () -> open(NIC));
        });
  }

  private static boolean isThere(String name) {
    try {
      return NetDevice.of(name).isUp();
    } catch (org.vhostnetmap.linux.ErrnoException e) {
      return false;
    }
  }

  @Test
  void refusesANicThatIsNotThere() throws Exception {
    onCable(peer -> assertRefused(Errno.ENXIO, () -> open("nosuch0")));
  }
}
