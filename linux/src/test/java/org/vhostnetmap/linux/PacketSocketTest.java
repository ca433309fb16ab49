// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.util.HexFormat;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;

class PacketSocketTest {
  private static final int BUFFER_BYTES = 1 << 20;
  private static final int FRAME = 2048;
  private static final int FRAMES = 8;
  private static final String ADDRESSES = "020000000002" + "020000000001";
  private static final ClassicBpf EVERYTHING = new ClassicBpf().answer(1 << 18);

  private NetDevice one = NetDevice.of(0);
  private NetDevice other = NetDevice.of(0);

  /** Memory for frames to send, then for frames to receive. */
  private long memory;

  private void onAPair(Callable<?> body) throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.vethPair("one", "other");
          one = NetDevice.of("one");
          other = NetDevice.of("other");
          try (Mapping mapping = Mapping.anonymous(2L * FRAMES * FRAME)) {
            memory = mapping.address();
            body.call();
          }
          return null;
        });
  }

  private long sent(int i) {
    return memory + (long) FRAME * i;
  }

  private long received(int i) {
    return memory + (long) FRAME * (FRAMES + i);
  }

  /** A frame of the type for experiments, 60 bytes with {@code number} at the end. */
  private void put(int i, String beforeType, int number) {
    byte[] bytes = HexFormat.of().parseHex(ADDRESSES + beforeType + "88b5");
    Memory.fill(sent(i), 60, 0);
    Memory.copyFromArray(bytes, 0, sent(i), bytes.length);
    Memory.putByte(sent(i) + 59, number);
  }

  private PacketBatch toSend(int pieces) throws ErrnoException {
    PacketBatch batch = PacketBatch.toSend(FRAMES, pieces);
    for (int i = 0; i < FRAMES; i++) {
      batch.pieces(i, 1);
      batch.piece(i, 0, sent(i), 60);
    }
    return batch;
  }

  private PacketBatch toReceive(int bytes) throws ErrnoException {
    PacketBatch batch = PacketBatch.toReceive(FRAMES, 1);
    for (int i = 0; i < FRAMES; i++) {
      batch.pieces(i, 1);
      batch.piece(i, 0, received(i), bytes);
    }
    return batch;
  }

  private static int await(PacketSocket socket, PacketBatch batch) throws Exception {
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(socket.fd(), Epoll.IN, 1);
      epoll.await(5000);
      return batch.receive(socket.fd(), FRAMES);
    }
  }

  @Test
  void carriesABatchOfFramesInOrder() throws Exception {
    onAPair(
        () -> {
          try (PacketSocket out = PacketSocket.sender(one, BUFFER_BYTES);
              PacketSocket in = PacketSocket.receiver(other, EVERYTHING, BUFFER_BYTES);
              PacketBatch sending = toSend(2);
              PacketBatch receiving = toReceive(FRAME)) {
            for (int i = 0; i < FRAMES; i++) {
              put(i, "", i);
            }
            sending.pieces(3, 2);
            sending.piece(3, 0, sent(3), 20);
            sending.piece(3, 1, sent(3) + 20, 40);
            assertEquals(FRAMES, sending.send(out.fd(), 0, FRAMES));
            assertEquals(FRAMES, await(in, receiving));
            for (int i = 0; i < FRAMES; i++) {
              assertEquals(60, receiving.length(i));
              assertEquals(i, Memory.getUnsignedByte(received(i) + 59));
              assertTrue(receiving.isPlain(i) && !receiving.isCut(i));
              assertEquals(0, receiving.vlanTag(i));
            }
            assertEquals(-Errno.EAGAIN, receiving.receive(in.fd(), FRAMES));
            assertEquals(0, in.dropped());
          }
          return null;
        });
  }

  @Test
  void tellsTheTagsThatTheKernelTookOut() throws Exception {
    onAPair(
        () -> {
          try (PacketSocket out = PacketSocket.sender(one, BUFFER_BYTES);
              PacketSocket in = PacketSocket.receiver(other, EVERYTHING, BUFFER_BYTES);
              PacketBatch sending = toSend(1);
              PacketBatch receiving = toReceive(FRAME)) {
            put(0, "8100a005", 1);
            put(1, "88a80007", 2);
            put(2, "", 3);
            assertEquals(3, sending.send(out.fd(), 0, 3));
            assertEquals(3, await(in, receiving));
            assertEquals(0x8100a005L, receiving.vlanTag(0));
            assertEquals(0x88a80007L, receiving.vlanTag(1));
            assertEquals(0, receiving.vlanTag(2));
            assertEquals(56, receiving.length(0));
          }
          return null;
        });
  }

  @Test
  void seesOnlyWhatTheFilterLetsThrough() throws Exception {
    onAPair(
        () -> {
          int mark = 0x766e;
          ClassicBpf unmarked =
              new ClassicBpf()
                  .load(ClassicBpf.MARK)
                  .jumpIfEqual(mark, 0, 1)
                  .answer(0)
                  .answer(1 << 18);
          try (PacketSocket out = PacketSocket.sender(one, BUFFER_BYTES);
              PacketSocket marked = PacketSocket.markedSender(one, mark, BUFFER_BYTES);
              PacketSocket in = PacketSocket.receiver(other, unmarked, BUFFER_BYTES);
              PacketBatch sending = toSend(1);
              PacketBatch receiving = toReceive(FRAME)) {
            put(0, "", 1);
            assertEquals(1, sending.send(marked.fd(), 0, 1));
            put(0, "", 2);
            assertEquals(1, sending.send(out.fd(), 0, 1));
            assertEquals(1, await(in, receiving));
            assertEquals(2, Memory.getUnsignedByte(received(0) + 59));
          }
          return null;
        });
  }

  @Test
  void doesNotSeeWhatTheHostSends() throws Exception {
    onAPair(
        () -> {
          try (PacketSocket out = PacketSocket.sender(one, BUFFER_BYTES);
              PacketSocket in = PacketSocket.receiver(one, EVERYTHING, BUFFER_BYTES);
              PacketBatch sending = toSend(1);
              PacketBatch receiving = toReceive(FRAME)) {
            put(0, "", 1);
            assertEquals(1, sending.send(out.fd(), 0, 1));
            assertEquals(-Errno.EAGAIN, receiving.receive(in.fd(), FRAMES));
          }
          return null;
        });
  }

  @Test
  void tellsWhichChecksumsAreLeftToDoAndWhatWasCut() throws Exception {
    onAPair(
        () -> {
          Ip.run("addr", "add", "192.0.2.1/24", "dev", "one");
          Ip.run("neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "one");
          try (PacketSocket in = PacketSocket.receiver(other, EVERYTHING, BUFFER_BYTES);
              PacketBatch receiving = toReceive(100);
              DatagramSocket socket = new DatagramSocket()) {
            InetAddress to = InetAddress.getByName("192.0.2.2");
            socket.send(new DatagramPacket(new byte[20], 20, to, 9));
            socket.send(new DatagramPacket(new byte[200], 200, to, 9));
            assertEquals(2, await(in, receiving));
            assertFalse(receiving.isPlain(0));
            assertEquals(PacketBatch.NEEDS_CSUM, receiving.headerFlags(0));
            assertEquals(14 + 20, receiving.checksumStart(0));
            assertEquals(6, receiving.checksumOffset(0));
            assertEquals(0, receiving.gsoType(0));
            assertEquals(14 + 20 + 8 + 20, receiving.length(0));
            assertFalse(receiving.isCut(0));
            assertEquals(14 + 20 + 8 + 200, receiving.length(1));
            assertTrue(receiving.isCut(1));
          }
          return null;
        });
  }

  @Test
  void keepsTheDevicePromiscuousUntilClosed() throws Exception {
    onAPair(
        () -> {
          PacketSocket socket = PacketSocket.promiscuous(one);
          assertTrue(Ip.run("-d", "link", "show", "one").contains("promiscuity 1"));
          socket.close();
          assertTrue(Ip.run("-d", "link", "show", "one").contains("promiscuity 0"));
          return null;
        });
  }

  @Test
  void countsWhatFoundNoRoom() throws Exception {
    onAPair(
        () -> {
          try (PacketSocket out = PacketSocket.sender(one, BUFFER_BYTES);
              PacketSocket in = PacketSocket.receiver(other, EVERYTHING, 1);
              PacketBatch sending = toSend(1)) {
            for (int i = 0; i < FRAMES; i++) {
              put(i, "", i);
            }
            for (int round = 0; round < 100; round++) {
              assertEquals(FRAMES, sending.send(out.fd(), 0, FRAMES));
            }
            assertTrue(in.dropped() > 0);
            assertEquals(in.dropped(), in.dropped());
          }
          return null;
        });
  }

  @Test
  void isWrittenAsTcReadsIt() {
    assertEquals(
        "3,32 0 0 4294963220,21 0 1 5,6 0 0 2",
        new ClassicBpf().load(ClassicBpf.MARK).jumpIfEqual(5, 0, 1).answer(2).text());
  }

  @Test
  void leavesNoDescriptorWhenTheDeviceIsGone() throws Throwable {
    NetDevice none = NetDevice.of(1 << 20);
    OpenFiles.assertNoneLeftBy(
        () -> {
          try {
            PacketSocket.receiver(none, EVERYTHING, BUFFER_BYTES).close();
            throw new AssertionError("opened");
          } catch (ErrnoException e) {
            assertTrue(e.errno() == Errno.ENODEV || e.errno() == Errno.EPERM, e.getMessage());
          }
        });
  }
}
