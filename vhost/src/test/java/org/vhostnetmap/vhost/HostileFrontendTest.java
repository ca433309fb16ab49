// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.*;
import static org.vhostnetmap.fakes.FrontendWire.NEED_REPLY;
import static org.vhostnetmap.fakes.FrontendWire.REQUEST;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.Descriptors;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.fakes.FrontendWire;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.vhost.message.FrontendRequest;

/** Whatever comes over the socket: the port lives, and no descriptor or mapping stays behind. */
class HostileFrontendTest {
  private static final String FILE = "hostile";
  private static final byte[] NOTHING = {};

  private TestPort port;
  private int descriptors;

  @BeforeAll
  static void openWhatTheJavaLibraryKeeps() throws IOException {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        SocketChannel channel = SocketChannel.open(server.getLocalSocketAddress())) {
      channel.configureBlocking(false);
    }
  }

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(2);
    port.frontend().close(); // whatever is opened once and for all, is open now
    untilAlone();
    descriptors = Descriptors.settledCount();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    // The last connection may still wait to be accepted.
    Awaitility.await().untilAsserted(() -> assertEquals(descriptors, Descriptors.count()));
    untilAlone();
    assertEquals(List.of(), Descriptors.mappingsOf(FILE));
    assertEquals(List.of(), Descriptors.mappingsOf(MEMORY_NAME));
    try (FakeFrontend qemu = port.frontend().bringUp(2)) {
      assertEquals(List.of(0, 1, 2, 3), port.plane.running());
      assertTrue(qemu.features() != 0);
    }
    port.close();
  }

  private void untilAlone() {
    Waiting.until(() -> port.status().state() == BackendStatus.State.WAITING);
  }

  /**
   * A payload that the request's kind allows, all zero but for one memory region where there must
   * be one.
   */
  private static byte[] plausible(FrontendRequest request) {
    int size = 0;
    while (!request.payload().allows(size)) {
      size++;
    }
    return FrontendWire.payload(
        size,
        to -> {
          if (request == FrontendRequest.VHOST_USER_SET_MEM_TABLE) {
            to.putInt(1).putInt(0).putLong(0).putLong(4096);
          } else if (to.capacity() == 40) {
            to.putLong(0).putLong(0).putLong(4096);
          }
        });
  }

  /** T-fd: every request with every number of descriptors, some of use and some not. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 8, 9, 64})
  void closesTheDescriptorsOfEveryRequest(int count) throws IOException {
    try (Fd file = SharedFile.create(FILE, 4096)) {
      int[] fds = new int[count];
      Arrays.fill(fds, file.value());
      for (int round = 0; round < 4; round++) {
        for (FrontendRequest request : FrontendRequest.values()) {
          try (FrontendWire wire = port.wire()) {
            wire.send(16, REQUEST, u64(1 << 3));
            wire.send(
                request.number(), round % 2 == 0 ? REQUEST : NEED_REPLY, plausible(request), fds);
            wire.send(46, REQUEST, NOTHING, fds);
            if (round > 1) {
              // Served to the end, not cut off by the hang-up.
              wire.send(1, REQUEST, NOTHING);
              wire.hasInput(1000);
            }
          } catch (IOException e) {
            // Dropped: its right.
          }
          untilAlone();
        }
      }
    }
  }

  @Test
  void survivesAFloodOfDescriptorsOnOneConnection() throws IOException {
    try (Fd event = EventFd.create();
        FakeFrontend qemu = port.frontend()) {
      qemu.connectAsQemu(2);
      qemu.barrier();
      int before = Descriptors.settledCount();
      for (int i = 0; i < 1000; i++) {
        int request = 12 + i % 3;
        qemu.say(request, u64(i % 4), event.value());
        qemu.say(SET_BACKEND_REQ_FD, NOTHING, event.value());
        qemu.say(GET_STATUS, NOTHING, event.value(), event.value());
        qemu.wire().receiveU64(GET_STATUS);
      }
      qemu.barrier();
      Awaitility.await() // four kicks more at most
          .untilAsserted(() -> assertTrue(Descriptors.count() <= before + 4));
      assertEquals(2000, port.status().counters().strayFds());
    }
  }

  /** The last to close a TCP socket that lingers waits until its data is gone, or 8 s. */
  @Test
  void aSocketThatLingersHoldsNobodyUp() throws IOException {
    try (ServerSocket deaf = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FrontendWire wire = port.wire()) {
      byte[] message = FrontendWire.message(1, REQUEST, NOTHING);
      Set<Integer> before = Descriptors.sockets();
      try (SocketChannel channel = SocketChannel.open()) {
        Set<Integer> after = Descriptors.sockets();
        after.removeAll(before);
        channel.setOption(StandardSocketOptions.SO_LINGER, 8);
        channel.connect(deaf.getLocalSocketAddress());
        channel.configureBlocking(false);
        while (channel.write(ByteBuffer.allocate(65536)) > 0) {
          // until nothing more fits
        }
        wire.sendBytes(new byte[] {message[0]}, after.iterator().next());
      }
      long start = System.nanoTime();
      wire.sendBytes(Arrays.copyOfRange(message, 1, message.length));
      wire.receiveU64(1);
      assertTrue(System.nanoTime() - start < 2_000_000_000L, "the control thread waited");
      assertEquals(1, port.status().counters().strayFds());
    }
  }

  @Test
  void dropsWhoSendsMoreDescriptorsThanAMessageCanHave() throws IOException {
    try (Fd event = EventFd.create();
        FrontendWire wire = port.wire()) {
      int[] fds = new int[253];
      Arrays.fill(fds, event.value());
      wire.send(1, REQUEST, NOTHING, fds);
      assertTrue(wire.hungUp());
    }
  }

  @Test
  void dropsWhoDribblesDescriptorsByteByByte() throws IOException {
    try (Fd event = EventFd.create();
        FrontendWire wire = port.wire()) {
      int[] fds = new int[60];
      Arrays.fill(fds, event.value());
      byte[] message = FrontendWire.message(2, REQUEST, u64(0));
      wire.sendBytes(new byte[] {message[0]}, fds);
      wire.sendBytes(new byte[] {message[1]}, fds);
      assertTrue(wire.hungUp());
    }
  }

  /** T-idx: no ring number reaches an array unchecked. */
  @Test
  void refusesRingsThatDoNotExist() throws IOException {
    int[] wrong = {
      4, 5, 255, 256, 65535, 65536, 65537, 0x1_0001, Integer.MAX_VALUE, Integer.MIN_VALUE, -1
    };
    try (FakeFrontend qemu = port.frontend()) {
      qemu.connectAsQemu(2);
      for (int index : wrong) {
        for (int request : new int[] {SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE}) {
          assertEquals(
              1, qemu.tell(request, state(index, 1)), "request " + request + " ring " + index);
        }
        byte[] address = FrontendWire.payload(40, to -> to.putInt(index));
        assertEquals(1, qemu.tell(SET_VRING_ADDR, address));
      }
      for (int request : new int[] {SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR}) {
        for (int index : new int[] {4, 5, 255}) {
          assertEquals(1, qemu.tell(request, u64(0x100 | index)));
        }
      }
    }
    for (int index : wrong) {
      untilAlone();
      try (FrontendWire wire = port.wire()) {
        wire.send(GET_VRING_BASE, REQUEST, state(index, 0));
        assertTrue(wire.hungUp(), "GET_VRING_BASE has no way to say no");
      }
      untilAlone();
      try (FrontendWire wire = port.wire()) {
        wire.send(SET_VRING_KICK, NEED_REPLY, u64(Integer.toUnsignedLong(index) << 9));
        assertTrue(wire.hungUp(), "bits that mean nothing");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {4097, 65536, 1L << 31, (1L << 32) - 1})
  void dropsWhoAnnouncesMoreThanAnyMessageHas(long size) throws IOException {
    for (int number : new int[] {1, 5, 37, 1000}) {
      untilAlone();
      try (FrontendWire wire = port.wire()) {
        wire.sendBytes(
            FrontendWire.payload(12, to -> to.putInt(number).putInt(REQUEST).putInt((int) size)));
        assertTrue(wire.hungUp());
      }
    }
  }

  @Test
  void dropsWhoSendsALengthThatTheRequestCannotHave() throws IOException {
    for (FrontendRequest request : FrontendRequest.values()) {
      for (int size = 0; size < 300; size += 7) {
        if (!request.payload().allows(size)) {
          untilAlone();
          try (FrontendWire wire = port.wire()) {
            wire.send(request.number(), REQUEST, new byte[size]);
            assertTrue(wire.hungUp(), request + " of " + size);
          }
          break;
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 9, 1000, 0x7fffffff, -1})
  void dropsWhoCountsMoreRegionsThanThereAre(int count) throws IOException {
    try (FrontendWire wire = port.wire()) {
      wire.send(SET_MEM_TABLE, REQUEST, FrontendWire.payload(72, to -> to.putInt(count)));
      assertTrue(wire.hungUp());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0x0, 0x2, 0x3, 0x5, 0xd})
  void dropsOtherVersionsAndRepliesNobodyAskedFor(int flags) throws IOException {
    try (FrontendWire wire = port.wire()) {
      wire.send(1, flags, NOTHING);
      assertTrue(wire.hungUp());
    }
  }

  /**
   * Tens of thousands of messages, right and wrong, whole and cut, with any descriptors; the same
   * at each run.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void survivesAnything(long seed) throws IOException {
    Random random = new Random(seed);
    try (Fd file = SharedFile.create(FILE, 1 << 20);
        Fd event = EventFd.create();
        Fd nothing = Descriptors.open("/dev/null", Descriptors.READ_WRITE)) {
      int[] kinds = {file.value(), event.value(), nothing.value()};
      int sent = 0;
      while (sent < 10_000) {
        sent += scribble(random, kinds);
      }
    }
  }

  /**
   * One connection: QEMU's beginning now and then, and then anything, until the back-end has had
   * enough.
   */
  private int scribble(Random random, int[] kinds) throws IOException {
    int sent = 0;
    try (FakeFrontend qemu = port.frontend()) {
      if (random.nextInt(4) > 0) {
        qemu.bringUp(2);
      }
      while (sent < 500) {
        sent++;
        byte[] message = anyMessage(random);
        if (random.nextInt(100) == 0) {
          message = Arrays.copyOf(message, random.nextInt(message.length));
        }
        qemu.wire().sendBytes(message, anyDescriptors(random, kinds));
        qemu.wire().discardInput();
      }
    } catch (IOException e) {
      // Dropped: its right.
    }
    return sent;
  }

  private static int[] anyDescriptors(Random random, int[] kinds) {
    int[] fds = new int[random.nextInt(3) == 0 ? random.nextInt(4) : 1];
    for (int i = 0; i < fds.length; i++) {
      fds[i] = kinds[random.nextInt(kinds.length)];
    }
    return fds;
  }

  private static byte[] anyMessage(Random random) {
    FrontendRequest[] all = FrontendRequest.values();
    FrontendRequest request = all[random.nextInt(all.length)];
    byte[] payload = plausible(request);
    for (int i = 0; i < payload.length; i += 4) {
      if (random.nextBoolean()) {
        // Small numbers mostly, or no message would ever be right.
        payload[i] = (byte) (random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(5));
      }
      if (random.nextInt(20) == 0) {
        payload[i + 3] = (byte) random.nextInt();
      }
      if (random.nextInt(4) == 0) {
        payload[i + 1] = (byte) (random.nextInt(4) << 4);
      }
    }
    return FrontendWire.message(request.number(), NEED_REPLY, payload);
  }
}
