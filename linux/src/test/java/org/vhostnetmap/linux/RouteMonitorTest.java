// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RouteMonitorTest {
  @Test
  void tellsOfAVethsWholeLife() throws Exception {
    NetworkNamespace.run(
        () -> {
          try (RouteMonitor monitor = RouteMonitor.open()) {
            Ip.vethPair("one", "other");
            NetDevice one = NetDevice.of("one");
            one.setMac(0x020000000011L);
            one.setMtu(1400);
            LinkEvent seen = lastOf(monitor, one.index());
            assertEquals(
                new LinkEvent(one.index(), "one", true, true, true, 1400, 0x020000000011L), seen);
            Ip.run("link", "set", "other", "down");
            seen = lastOf(monitor, one.index());
            assertTrue(seen.up() && !seen.carrier(), seen.toString());
            Ip.run("link", "set", "one", "down");
            Ip.run("link", "set", "one", "name", "uno");
            seen = lastOf(monitor, one.index());
            assertTrue(!seen.up() && seen.name().equals("uno"), seen.toString());
            Ip.run("link", "del", "uno");
            seen = lastOf(monitor, one.index());
            assertFalse(seen.exists(), seen.toString());
          }
          return null;
        });
  }

  /** What was told last of one device; the kernel sometimes tells it a moment late. */
  private static LinkEvent lastOf(RouteMonitor monitor, int index) throws Exception {
    List<LinkEvent> events = new ArrayList<>();
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(monitor.fd(), Epoll.IN, 1);
      while (epoll.await(events.isEmpty() ? 5000 : 200) > 0) {
        assertTrue(monitor.read(events::add));
      }
    }
    events.removeIf(event -> event.index() != index);
    return events.getLast();
  }

  @Test
  void aBridgePortThatLeavesItsBridgeIsNotADeviceThatIsGone() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          Ip.run("link", "add", "vnm-br", "type", "bridge");
          Ip.run("link", "set", "one", "master", "vnm-br");
          try (RouteMonitor monitor = RouteMonitor.open()) {
            Ip.run("link", "set", "one", "nomaster");
            assertTrue(lastOf(monitor, NetDevice.of("one").index()).exists());
          }
          return null;
        });
  }

  @Test
  void saysSoWhenTheKernelHadToThrowEventsAway() throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          try (RouteMonitor monitor = RouteMonitor.open()) {
            NetDevice one = NetDevice.of("one");
            for (int i = 0; i < 2000; i++) {
              one.setMtu(1300 + i % 2);
            }
            List<LinkEvent> events = new ArrayList<>();
            assertFalse(monitor.read(events::add), () -> events.size() + " events and none lost");
            assertTrue(events.size() > 10, "those that were kept come first");
            one.setMtu(1400);
            events.clear();
            assertTrue(monitor.read(events::add), "an overrun is told once");
            assertEquals(1400, events.getLast().mtu());
          }
          return null;
        });
  }

  @Test
  void survivesDatagramsOfNonsense() {
    Random random = new Random(7);
    for (int round = 0; round < 20_000; round++) {
      byte[] bytes = new byte[random.nextInt(200)];
      random.nextBytes(bytes);
      ByteBuffer datagram = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
      if (bytes.length >= 24) {
        datagram.putInt(0, random.nextInt(bytes.length + 4)).putShort(4, (short) 16);
        datagram.put(16, (byte) 0);
      }
      RouteMonitor.parse(datagram, event -> {});
    }
  }

  @Test
  void leavesNoDescriptor() throws Throwable {
    OpenFiles.assertNoneLeftBy(() -> RouteMonitor.open().close());
  }
}
