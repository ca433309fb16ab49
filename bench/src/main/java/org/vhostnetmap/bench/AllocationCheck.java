// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.DatagramPacket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.MulticastSocket;
import java.net.NetworkInterface;
import java.util.Arrays;
import org.vhostnetmap.bridge.Bridge;
import org.vhostnetmap.bridge.BridgeStatus;
import org.vhostnetmap.bridge.NetmapBridgePort;
import org.vhostnetmap.bridge.NicSettings;
import org.vhostnetmap.bridge.NullPort;
import org.vhostnetmap.bridge.PktgenPort;
import org.vhostnetmap.bridge.Port;
import org.vhostnetmap.bridge.TapPort;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortName;
import org.vhostnetmap.netmap.PortNameException;

/**
 * Measures how many bytes of Java heap a worker allocates per frame, for each kind of source and
 * sink, and fails when it is more than none. The guests' drivers are fakes that give back every
 * buffer at once.
 */
public final class AllocationCheck {
  private static final long FRAMES = 10_000_000;
  private static final long TAP_FRAMES = 1_000_000;
  private static final long WARM_UP_SHARE = 10;
  private static final double LIMIT = 0.01;
  private static final long SEGMENTED_FRAMES = 3_000_000;
  private static final int TRAIN = 4096;
  private static final int SEGMENT_BYTES = 200;
  private static final String TAP = "vnmalloc0";

  private final EventLoop loop = new EventLoop("control");
  private final Bridge bridge = new Bridge(loop, Bridge.Settings.DEFAULT);
  private final Port from;
  private final Port to;
  private volatile boolean stopped;
  private volatile long coalesced;

  private interface Making {
    Port port(Bridge bridge, EventLoop loop) throws IOException;
  }

  private interface Traffic {
    /** Keeps one side going until {@code check.stopped}. */
    void run(AllocationCheck check) throws IOException, InterruptedException;
  }

  private AllocationCheck(Making from, Making to) throws IOException {
    this.from = from.port(bridge, loop);
    this.to = to.port(bridge, loop);
    bridge.add(this.from);
    bridge.add(this.to);
  }

  /** Prints a table; ends with 1 when a path allocates. */
  public static void main(String[] arguments) throws Exception {
    System.out.printf("%-40s %12s %12s %14s%n", "path", "frames", "bytes", "bytes/frame");
    Making pktgen = (bridge, loop) -> new PktgenPort("pktgen:", 64, 0, 1);
    Making nothing = (bridge, loop) -> new NullPort("null:");
    int bad = check("pktgen to null", FRAMES, pktgen, nothing, all -> {});
    bad += checkGuest("guest tx to null", 0, false, nothing);
    bad += checkGuest("pktgen to guest rx", 0, true, pktgen);
    bad += checkGuest("pktgen to guest rx, mergeable", RecyclingGuest.MERGEABLE, true, pktgen);
    bad += checkGuest("guest tx to null, packed", RecyclingGuest.PACKED, false, nothing);
    bad += checkGuest("pktgen to guest rx, packed", RecyclingGuest.PACKED, true, pktgen);
    bad += checkTap(nothing, pktgen);
    try (NetmapDevice netmap = Netmap.emulated()) {
      bad += checkNetmap(netmap, pktgen, nothing);
      bad += checkSegments(netmap);
      bad += checkGroups(netmap, "pipe to guest rx with GRO", RecyclingGuest.GROUPS);
      bad +=
          checkGroups(
              netmap,
              "pipe to guest rx with GRO, packed",
              RecyclingGuest.GROUPS | RecyclingGuest.PACKED);
    }
    System.exit(bad == 0 ? 0 : 1);
  }

  /** 1 when the path allocates, else 0. */
  private static int check(String path, long frames, Making from, Making to, Traffic traffic)
      throws Exception {
    AllocationCheck check = new AllocationCheck(from, to);
    try {
      return check.measure(path, frames, traffic);
    } finally {
      check.stopped = true;
      check.loop.call(
          () -> {
            check.bridge.close();
            return check;
          });
      check.loop.close();
    }
  }

  private int measure(String path, long frames, Traffic traffic) throws Exception {
    loop.start();
    loop.call(
        () -> {
          bridge.start();
          return this;
        });
    Thread driver = new Thread(() -> drive(traffic), "driver");
    driver.setDaemon(true);
    driver.start();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long worker = workerId(threads);
    awaitDelivered(frames / WARM_UP_SHARE);
    long framesBefore = delivered();
    long before = threads.getThreadAllocatedBytes(worker);
    awaitDelivered(framesBefore + frames);
    long bytes = threads.getThreadAllocatedBytes(worker) - before;
    long moved = delivered() - framesBefore;
    coalesced =
        loop.call(bridge::status).ports().stream()
            .flatMap(port -> port.queues().stream())
            .mapToLong(queue -> queue.coalesced())
            .sum();
    stopped = true;
    driver.join();
    double perFrame = (double) bytes / moved;
    boolean good = perFrame <= LIMIT;
    System.out.printf(
        "%-40s %12d %12d %14.5f%s%n", path, moved, bytes, perFrame, good ? "" : "  TOO MANY");
    return good ? 0 : 1;
  }

  private void drive(Traffic traffic) {
    try {
      traffic.run(this);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e); // nobody interrupts it
    }
  }

  private static long workerId(ThreadMXBean threads) {
    return Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
        .filter(thread -> thread != null && thread.getThreadName().equals("worker-0"))
        .mapToLong(thread -> thread.getThreadId())
        .findFirst()
        .orElseThrow();
  }

  private long delivered() throws Exception {
    BridgeStatus status = loop.call(bridge::status);
    return status.delivered();
  }

  private void awaitDelivered(long frames) throws Exception {
    while (delivered() < frames) {
      java.util.concurrent.locks.LockSupport.parkNanos(200_000_000);
    }
  }

  // Guests

  private static int checkGuest(String path, long features, boolean receives, Making other)
      throws Exception {
    try (RecyclingGuest guest = new RecyclingGuest(features, receives)) {
      Traffic traffic = check -> guest.run(() -> check.stopped);
      return receives
          ? check(path, FRAMES, other, guest::port, traffic)
          : check(path, FRAMES, guest::port, other, traffic);
    }
  }

  /** Frames that are cut, with their checksums, into slots that somebody empties. */
  private static int checkSegments(NetmapDevice netmap) throws Exception {
    try (NetmapPort reader = netmap.register(PortName.parse("netmap:c{1").request());
        RecyclingGuest guest = new RecyclingGuest(RecyclingGuest.SEGMENTS, false)) {
      Traffic traffic =
          check -> {
            Thread emptying = new Thread(() -> empty(check, reader), "reader");
            emptying.start();
            guest.run(() -> check.stopped);
            emptying.join();
          };
      return check(
          "guest tx with TSO to pipe",
          SEGMENTED_FRAMES,
          guest::port,
          netmap(netmap, "netmap:c}1"),
          traffic);
    }
  }

  /** Segments of one flow that are put together for a guest. */
  private static int checkGroups(NetmapDevice netmap, String path, long features) throws Exception {
    byte[][] train = SegmentTrain.of(TRAIN, SEGMENT_BYTES);
    try (NetmapPort writer = netmap.register(PortName.parse("netmap:d{1").request());
        RecyclingGuest guest = new RecyclingGuest(features, true)) {
      long[] packets = {0};
      Traffic traffic =
          check -> {
            Thread filling = new Thread(() -> send(check, writer, train), "writer");
            filling.start();
            guest.run(() -> check.stopped);
            filling.join(); // its memory goes when this is over
            packets[0] = check.coalesced;
          };
      int bad = check(path, SEGMENTED_FRAMES, netmap(netmap, "netmap:d}1"), guest::port, traffic);
      if (packets[0] < SEGMENTED_FRAMES / 2) {
        System.out.printf("%-40s only %d frames were put together%n", path, packets[0]);
        return 1;
      }
      return bad;
    }
  }

  private static void send(AllocationCheck check, NetmapPort port, byte[][] train) {
    NetmapRing ring = port.txRings().getFirst();
    int next = 0;
    while (!check.stopped) {
      int tail = ring.tail();
      for (int slot = ring.head(); slot != tail; slot = ring.after(slot, 1)) {
        byte[] frame = train[next++ % train.length];
        Memory.copyFromArray(frame, 0, ring.buffer(slot), frame.length);
        ring.set(slot, frame.length, 0);
      }
      ring.advanceTo(tail);
      port.txSync();
    }
  }

  // TAP

  private static int checkTap(Making nothing, Making pktgen) throws Exception {
    Making tap = (bridge, loop) -> new TapPort("tap:" + TAP, TAP);
    try {
      return check("pktgen to tap", TAP_FRAMES, pktgen, tap, all -> {})
          + check("tap to null", TAP_FRAMES, tap, nothing, AllocationCheck::sendIntoTap);
    } catch (ErrnoException e) {
      System.out.printf("%-40s skipped: %s%n", "tap", e.getMessage());
      return 0;
    }
  }

  /** IPv6 multicast needs no address but the one the interface gives itself. */
  private static void sendIntoTap(AllocationCheck check) throws IOException {
    byte[] payload = new byte[64];
    while (!check.stopped) {
      try (MulticastSocket socket = new MulticastSocket((InetSocketAddress) null)) {
        NetworkInterface tap = NetworkInterface.getByName(TAP);
        InetAddress group = Inet6Address.getByAddress("ff02::1", allNodes(), tap);
        DatagramPacket packet = new DatagramPacket(payload, payload.length, group, 9);
        while (!check.stopped) {
          socket.send(packet);
        }
      } catch (IOException notReady) {
        // Its address is still being checked for duplicates.
        java.util.concurrent.locks.LockSupport.parkNanos(100_000_000);
      }
    }
  }

  // netmap

  /** Into a pipe whose other end is emptied, out of one that is kept full, and into a switch. */
  private static int checkNetmap(NetmapDevice netmap, Making pktgen, Making nothing)
      throws Exception {
    int bad = check("pktgen to VALE", FRAMES, pktgen, netmap(netmap, "vale0:a"), all -> {});
    try (NetmapPort reader = netmap.register(PortName.parse("netmap:a{1").request())) {
      bad +=
          check(
              "pktgen to pipe",
              FRAMES,
              pktgen,
              netmap(netmap, "netmap:a}1"),
              all -> empty(all, reader));
    }
    try (NetmapPort writer = netmap.register(PortName.parse("netmap:b{1").request())) {
      bad +=
          check(
              "pipe to null",
              FRAMES,
              netmap(netmap, "netmap:b}1"),
              nothing,
              all -> fill(all, writer));
    }
    return bad;
  }

  private static Making netmap(NetmapDevice netmap, String name) {
    return (bridge, loop) -> {
      try {
        var settings = new NicSettings(false, false, false);
        var request = PortName.parse(name).request();
        return new NetmapBridgePort(name, bridge, loop, netmap, request, settings);
      } catch (PortNameException e) {
        throw new IOException(e);
      }
    };
  }

  private static void empty(AllocationCheck check, NetmapPort port) {
    NetmapRing ring = port.rxRings().getFirst();
    while (!check.stopped) {
      port.rxSync();
      ring.advanceTo(ring.tail());
      Thread.onSpinWait();
    }
  }

  private static void fill(AllocationCheck check, NetmapPort port) {
    NetmapRing ring = port.txRings().getFirst();
    while (!check.stopped) {
      int tail = ring.tail();
      for (int slot = ring.head(); slot != tail; slot = ring.after(slot, 1)) {
        ring.set(slot, 64, 0);
      }
      ring.advanceTo(tail);
      port.txSync();
    }
  }

  private static byte[] allNodes() {
    byte[] address = new byte[16];
    address[0] = (byte) 0xff;
    address[1] = 2;
    address[15] = 1;
    return address;
  }
}
