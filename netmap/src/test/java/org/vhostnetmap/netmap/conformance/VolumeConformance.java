// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RegisterRequest;

/** A million numbered frames, several senders at once, and hundreds of opens. */
public abstract class VolumeConformance extends Conformance {
  private static final int FRAMES = 1_000_000;
  private static final long A = Frames.mac(1);
  private static final long B = Frames.mac(2);

  /** Where a frame's number is; its complement is in the last four bytes. */
  private static final int NUMBER = 14;

  private static final int BURST = 200;

  /** On one processor the other thread gets its turn only when this one rests. */
  private static final long REST_NANOS = 20_000;

  private final String cycled = fresh("vale");

  /** Puts up to {@code most} frames with rising numbers into a ring; how many. */
  private static int put(NetmapRing ring, long to, long from, int number, int most) {
    int count = Math.min(ring.space(), most);
    int slot = ring.head();
    for (int i = 0; i < count; i++) {
      write(ring.buffer(slot), to, from, number + i);
      ring.set(slot, Frames.SHORTEST, 0);
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return count;
  }

  private static void write(long buffer, long to, long from, int number) {
    Memory.putLong(buffer, Long.reverseBytes(to << 16 | from >> 32));
    Memory.putInt(buffer + 8, Integer.reverseBytes((int) from));
    Memory.putShort(buffer + 12, 0xb588);
    Memory.putInt(buffer + NUMBER, number);
    Memory.putInt(buffer + Frames.SHORTEST - 4, ~number);
  }

  private static int number(NetmapRing ring, int slot) {
    long buffer = ring.buffer(slot);
    int number = (int) Memory.getUnsignedInt(buffer + NUMBER);
    assertEquals(~number, (int) Memory.getUnsignedInt(buffer + Frames.SHORTEST - 4), "torn");
    return number;
  }

  /** Takes all frames, whose numbers go on from {@code expected}; how many. */
  private static int takeInOrder(NetmapRing ring, int expected) {
    int tail = ring.tail();
    int slot = ring.head();
    int next = expected;
    while (slot != tail) {
      assertEquals(next, number(ring, slot));
      next++;
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return next - expected;
  }

  @Test
  void aMillionFramesGoThroughASwitchAndBackInOrder() throws Exception {
    String vale = fresh("vale");
    NetmapPort a = open(vale + ":a");
    NetmapPort b = open(vale + ":b");
    int sent = 0;
    int there = 0;
    int back = 0;
    while (back < FRAMES) {
      // No more on the way than a ring takes: a switch makes nobody wait.
      int most = Math.min(BURST, Math.min(FRAMES - sent, 1000 - (sent - back)));
      sent += put(a.txRings().get(0), B, A, sent, most);
      a.txSync();
      b.rxSync();
      int came = takeInOrder(b.rxRings().get(0), there);
      assertEquals(came, put(b.txRings().get(0), A, B, there, came));
      there += came;
      b.txSync();
      a.rxSync();
      back += takeInOrder(a.rxRings().get(0), back);
    }
    assertEquals(FRAMES, sent);
    assertEquals(FRAMES, there);
  }

  @Test
  void aMillionFramesGoThroughAPipeAndBackBetweenTwoThreads() throws Exception {
    String base = fresh("cv");
    NetmapPort master = open(RegisterRequest.of(base + "{1").withRings(1, 1, 256, 256));
    NetmapPort slave = open(base + "}1");
    try (ExecutorService threads = Executors.newFixedThreadPool(1)) {
      Future<?> echo = threads.submit(() -> echo(slave));
      int sent = 0;
      int back = 0;
      while (back < FRAMES) {
        sent += put(master.txRings().get(0), B, A, sent, Math.min(BURST, FRAMES - sent));
        master.txSync();
        master.rxSync();
        int came = takeInOrder(master.rxRings().get(0), back);
        back += came;
        if (came == 0) {
          assertTrue(!echo.isDone(), "the other thread gave up");
          LockSupport.parkNanos(REST_NANOS);
        }
      }
      echo.get(10, TimeUnit.SECONDS);
      assertEquals(FRAMES, sent);
    }
  }

  /** Sends all that comes back, whatever room there is. */
  private static void echo(NetmapPort port) {
    NetmapRing in = port.rxRings().get(0);
    NetmapRing out = port.txRings().get(0);
    int done = 0;
    while (done < FRAMES) {
      port.rxSync();
      int count = Math.min(in.space(), out.space());
      int slot = in.head();
      for (int i = 0; i < count; i++) {
        assertEquals(done + i, number(in, slot));
        slot = in.after(slot, 1);
      }
      put(out, A, B, done, count);
      in.advanceTo(slot);
      done += count;
      port.txSync();
      if (count == 0) {
        LockSupport.parkNanos(REST_NANOS);
      }
    }
    // What was read last is given back, so that the sender sees an empty pipe.
    port.rxSync();
  }

  @Test
  void severalSendersIntoOneReceiverKeepTheirOwnOrderAndDoubleNothing() throws Exception {
    String vale = fresh("vale");
    NetmapPort receiver = open(vale + ":r");
    int senders = 3;
    int each = 100_000;
    send(receiver, Frames.numbered(Frames.BROADCAST, B, 0));
    List<NetmapPort> ports = new ArrayList<>();
    for (int i = 0; i < senders; i++) {
      ports.add(open(vale + ":s" + i));
    }
    AtomicInteger running = new AtomicInteger(senders);
    try (ExecutorService threads = Executors.newFixedThreadPool(senders)) {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < senders; i++) {
        int me = i;
        all.add(threads.submit(() -> sendAll(ports.get(me), me, each, running)));
      }
      int[] last = {-1, -1, -1};
      long received = 0;
      boolean more = true;
      while (more) {
        // Asked before the look, so that the last look comes after the last frame.
        more = running.get() > 0;
        receiver.rxSync();
        received += takeRising(receiver.rxRings().get(0), last);
      }
      for (Future<?> one : all) {
        one.get(10, TimeUnit.SECONDS);
      }
      assertTrue(received > 0);
      allAccountedFor(receiver, (long) senders * each, received);
    }
  }

  /** A device that counts what it drops tells here. */
  protected void allAccountedFor(NetmapPort receiver, long sent, long received) {
    assertTrue(received <= sent);
  }

  private static void sendAll(NetmapPort port, int me, int frames, AtomicInteger running) {
    NetmapRing ring = port.txRings().get(0);
    int sent = 0;
    while (sent < frames) {
      sent += put(ring, B, Frames.mac(10 + me), me << 24 | sent, Math.min(BURST, frames - sent));
      port.txSync();
    }
    running.decrementAndGet();
  }

  private static int takeRising(NetmapRing ring, int[] last) {
    int tail = ring.tail();
    int slot = ring.head();
    int count = 0;
    while (slot != tail) {
      int number = number(ring, slot);
      int sender = number >>> 24;
      int place = number & 0xffffff;
      assertTrue(place > last[sender], "frame " + place + " of sender " + sender);
      last[sender] = place;
      count++;
      slot = ring.after(slot, 1);
    }
    ring.advanceTo(slot);
    return count;
  }

  @Test
  void twoHundredOpensOfEachKindLeaveNothing() throws Exception {
    openAndClose();
    long files = entries("/proc/self/fd");
    long mappings = netmapMappings();
    for (int i = 0; i < 200; i++) {
      openAndClose();
    }
    assertEquals(mappings, netmapMappings());
    assertEquals(List.of(), device().valePorts().stream().filter(this::isMine).toList());
    // Other threads of the JVM open and close files as well.
    Awaitility.await()
        .atMost(Duration.ofSeconds(5))
        .until(() -> entries("/proc/self/fd") <= files && netmapThreads() == 0);
  }

  private boolean isMine(ValePort port) {
    return port.name().startsWith(cycled + ":");
  }

  private void openAndClose() throws Exception {
    RegisterRequest one = RegisterRequest.of(cycled + ":a").withRings(1, 1, 64, 64);
    try (NetmapPort port = device().register(one);
        NetmapPort copy = device().register(one.withFlags(NetmapAbi.NR_MONITOR_RX));
        NetmapPort master = device().register(RegisterRequest.of(cycled + ":a{1"));
        NetmapPort slave = device().register(RegisterRequest.of(cycled + ":a}1"));
        NetmapPort moved =
            device()
                .register(RegisterRequest.of(cycled + ":a}1").withFlags(NetmapAbi.NR_ZCOPY_MON))) {
      send(port, Frames.numbered(B, A, 1));
      send(master, Frames.numbered(B, A, 2));
      assertEquals(List.of(2), numbers(receive(slave)));
      slave.rxSync();
      receive(moved);
      receive(copy);
    }
  }

  private static long entries(String directory) throws IOException {
    try (Stream<Path> paths = Files.list(Path.of(directory))) {
      return paths.count();
    }
  }

  private static long netmapMappings() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("netmap-") || line.contains("/dev/netmap")).count();
    }
  }

  private static long netmapThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("netmap-"))
        .count();
  }
}
