// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class XdpSocketTest {
  private static final int XDP_PASS = 2;
  private static final int REDIRECT_MAP = 51;
  private static final int CHUNK = 2048;
  private static final int CHUNKS = 256;
  private static final int SLOTS = 64;

  private Mapping memory;

  @BeforeEach
  void open() throws Exception {
    memory = Mapping.anonymous((long) CHUNK * CHUNKS);
    try (XdpSocket socket = XdpSocket.open(umem(), SLOTS);
        Fd map = Bpf.createXskMap(1)) {
      assertTrue(socket.fd() >= 0 && map.isOpen());
    } catch (ErrnoException e) {
      memory.close();
      Assumptions.abort("no AF_XDP here: " + e.getMessage());
    }
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private XdpSocket.Umem umem() {
    return new XdpSocket.Umem(memory.address(), memory.length(), CHUNK);
  }

  /** Two ends of a veth pair, a socket on each; the second receives. */
  private interface Body {
    void run(XdpSocket sender, XdpSocket receiver) throws Exception;
  }

  private void onVeth(int flags, Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.run("link", "add", "vnm0", "type", "veth", "peer", "name", "vnm1");
          for (String end : new String[] {"vnm0", "vnm1"}) {
            Ip.run("link", "set", end, "addrgenmode", "none", "up");
          }
          try (Fd map = Bpf.createXskMap(1);
              Fd program = redirecting(map);
              XdpSocket sender = XdpSocket.open(umem(), SLOTS);
              XdpSocket receiver = XdpSocket.open(umem(), SLOTS)) {
            sender.bind(Ip.index("vnm0"), 0, XdpSocket.XDP_USE_NEED_WAKEUP);
            receiver.bind(Ip.index("vnm1"), 0, XdpSocket.XDP_USE_NEED_WAKEUP);
            Bpf.update(map.value(), 0, receiver.fd());
            try (Fd link = Bpf.link(program.value(), Ip.index("vnm1"), Bpf.ATTACH_XDP, flags)) {
              assertTrue(link.isOpen());
              body.run(sender, receiver);
            }
          }
          return null;
        });
  }

  /** To the socket of the frame's queue, or on to the host where there is none. */
  private static Fd redirecting(Fd map) throws ErrnoException {
    BpfCode code =
        new BpfCode()
            .loadWord(2, 1, 16)
            .loadMap(1, map.value())
            .move(3, XDP_PASS)
            .call(REDIRECT_MAP)
            .exit();
    return Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "test_redirect", code);
  }

  /** Chunks 0 to 63 for sending, 64 to 127 for receiving; frame {@code i} is full of {@code i}. */
  private void sendAndCompare(XdpSocket sender, XdpSocket receiver, int frames, int length) {
    for (int i = 0; i < frames; i++) {
      receiver.fill().putAddress(i, (long) (SLOTS + i) * CHUNK);
      long address = (long) i * CHUNK;
      Memory.fill(memory.address() + address, length, i + 1);
      sender.transmit().putFrame(i, address, length);
    }
    receiver.fill().publish(frames);
    sender.transmit().publish(frames);
    Awaitility.await()
        .atMost(Duration.ofSeconds(5))
        .until(
            () -> {
              if (sender.transmit().pending() > 0) {
                sender.wakeTransmit();
              }
              return receiver.receive().available() >= frames
                  && sender.completion().available() >= frames;
            });
    for (int i = 0; i < frames; i++) {
      long at = receiver.receive().address(i);
      assertEquals((long) (SLOTS + i) * CHUNK + XdpSocket.HEADROOM, at);
      assertEquals(length, receiver.receive().length(i));
      assertEquals(i + 1, Memory.getUnsignedByte(memory.address() + at));
      assertEquals(i + 1, Memory.getUnsignedByte(memory.address() + at + length - 1));
      assertEquals((long) i * CHUNK, sender.completion().address(i));
    }
    receiver.receive().release(frames);
    sender.completion().release(frames);
    assertEquals(0, receiver.receive().available());
  }

  @Test
  void carriesFramesThroughTheDriversHook() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          // Three rounds over rings of 64 wrap around.
          for (int round = 0; round < 3; round++) {
            sendAndCompare(sender, receiver, 50, 1514);
          }
          assertEquals(new XdpSocket.Statistics(0, 0, 0, 0, 0), receiver.statistics());
        });
  }

  @Test
  void carriesFramesThroughTheGenericHook() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_SKB_MODE,
        (sender, receiver) -> {
          sendAndCompare(sender, receiver, 50, 60);
          assertEquals(0, receiver.statistics().rxDropped());
        });
  }

  @Test
  void aVethCannotDoWithoutCopying() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          assertFalse(receiver.zeroCopy());
          Ip.run("link", "add", "vnm2", "type", "veth", "peer", "name", "vnm3");
          try (XdpSocket third = XdpSocket.open(umem(), SLOTS)) {
            ErrnoException refused =
                assertThrows(
                    ErrnoException.class,
                    () -> third.bind(Ip.index("vnm2"), 0, XdpSocket.XDP_ZEROCOPY));
            assertEquals(Errno.EOPNOTSUPP, refused.errno());
            third.bind(Ip.index("vnm2"), 0, XdpSocket.XDP_COPY);
          }
        });
  }

  @Test
  void tellsOfFramesThatFoundNoChunk() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          sender.transmit().putFrame(0, 0, 60);
          sender.transmit().publish(1);
          assertTrue(sender.transmit().needsWakeup());
          assertEquals(0, sender.wakeTransmit());
          Awaitility.await()
              .atMost(Duration.ofSeconds(5))
              .until(() -> receiver.statistics().fillRingEmpty() == 1);
          assertEquals(0, receiver.receive().available());
        });
  }

  @Test
  void tellsOfEntriesThatNameNoFrame() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          assertEquals(SLOTS, sender.transmit().free(1000));
          sender.transmit().putFrame(0, memory.length(), 60);
          sender.transmit().publish(1);
          assertEquals(1, sender.transmit().pending());
          sender.wakeTransmit();
          assertEquals(1, sender.statistics().txInvalid());
          assertEquals(0, sender.transmit().pending());
        });
  }

  @Test
  void aFrameMakesTheDescriptorReadable() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          try (Epoll epoll = new Epoll(1)) {
            epoll.add(receiver.fd(), Epoll.IN, 7);
            assertEquals(0, epoll.await(0));
            receiver.fill().putAddress(0, 0);
            receiver.fill().publish(1);
            sender.transmit().putFrame(0, CHUNK, 60);
            sender.transmit().publish(1);
            sender.wakeTransmit();
            assertEquals(1, epoll.await(5000));
          }
        });
  }

  @Test
  void sendsMoreThanTheUsual32AtOnceWhereTheKernelLetsUs() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          assertTrue(receiver.fd() >= 0);
          int budget = sender.setTransmitBudget(SLOTS) ? SLOTS : 32;
          for (int i = 0; i < SLOTS; i++) {
            sender.transmit().putFrame(i, (long) i * CHUNK, 60);
          }
          sender.transmit().publish(SLOTS);
          sender.wakeTransmit();
          assertEquals(SLOTS - budget, sender.transmit().pending());
        });
  }

  @Test
  void aDeviceThatIsGoneSaysSo() throws Exception {
    onVeth(
        Bpf.XDP_FLAGS_DRV_MODE,
        (sender, receiver) -> {
          assertTrue(receiver.fd() >= 0);
          Ip.run("link", "del", "vnm0");
          sender.transmit().putFrame(0, 0, 60);
          sender.transmit().publish(1);
          assertTrue(sender.wakeTransmit() < 0);
        });
  }

  @Test
  void refusedMemoryIsNamedAndLeavesNothing() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          XdpSocket.Umem odd = new XdpSocket.Umem(memory.address() + 1, CHUNK, CHUNK);
          ErrnoException refused =
              assertThrows(ErrnoException.class, () -> XdpSocket.open(odd, SLOTS));
          assertEquals(Errno.EINVAL, refused.errno());
          assertThrows(ErrnoException.class, () -> XdpSocket.open(umem(), 3));
        });
  }

  @Test
  void openAndCloseLeaveNothing() throws Throwable {
    OpenFiles.assertNoneLeftBy(() -> XdpSocket.open(umem(), SLOTS).close());
  }
}
