// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.ClassicBpf;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.PacketBatch;
import org.vhostnetmap.linux.PacketSocket;

/** Who is at the other end of the cable: raw sockets on the peer interface. One thread. */
final class Peer implements AutoCloseable {
  private static final int BATCH = 64;
  private static final int STRIDE = 2048;

  private final PacketSocket in;
  private final PacketSocket out;
  private final PacketBatch toReceive = PacketBatch.toReceive(BATCH, 1);
  private final PacketBatch toSend = PacketBatch.toSend(1, 1);
  private final Mapping memory = Mapping.anonymous((BATCH + 1L) * STRIDE);

  Peer(String name) throws ErrnoException {
    NetDevice device = NetDevice.of(name);
    in = PacketSocket.receiver(device, new ClassicBpf().answer(1 << 18), 1 << 23);
    out = PacketSocket.sender(device, 1 << 20);
    for (int i = 0; i < BATCH; i++) {
      toReceive.piece(i, 0, place(i), STRIDE);
      toReceive.pieces(i, 1);
    }
  }

  private long place(int i) {
    return memory.address() + (long) i * STRIDE;
  }

  void send(byte[] frame) {
    Memory.copyFromArray(frame, 0, place(BATCH), frame.length);
    toSend.piece(0, 0, place(BATCH), frame.length);
    toSend.pieces(0, 1);
    assertEquals(1, toSend.send(out.fd(), 0, 1));
  }

  /** What has come since. */
  List<byte[]> receive() {
    List<byte[]> frames = new ArrayList<>();
    int got;
    do {
      got = toReceive.receive(in.fd(), BATCH);
      for (int i = 0; i < got; i++) {
        byte[] frame = new byte[toReceive.length(i)];
        Memory.copyToArray(place(i), frame, 0, frame.length);
        frames.add(frame);
      }
    } while (got > 0);
    return frames;
  }

  @Override
  public void close() {
    in.close();
    out.close();
    toReceive.close();
    toSend.close();
    memory.close();
  }
}
