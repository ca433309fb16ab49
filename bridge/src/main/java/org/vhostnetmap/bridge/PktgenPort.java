// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingMemory;

/**
 * A port that sends: lends the same UDP frames from a netmap ring again and again, as fast as they
 * are taken or at a given rate, and forgets what it is sent.
 */
public final class PktgenPort extends Port {
  /** Two bursts: few enough that all frames stay in the cache. */
  private static final int SLOTS = 64;

  /** The most flows: one for each slot. */
  public static final int FLOWS = SLOTS;

  private static final int SOURCE_PORT = 34;
  private static final int DISCARD = 9;

  /** What comes in may be a frame that is cut into many. */
  private static final int SINK_SLOTS = 256;

  /** A cache line off the power of two, at which all frames would share a few sets of the cache. */
  private static final int STRIDE = NetmapAbi.DEFAULT_BUFFER_BYTES + 64;

  private static final long NANOS = 1_000_000_000L;

  private final RingMemory memory = newRing(SLOTS);
  private final QueueCounters in = new QueueCounters("in", true);
  private final QueueCounters out = new QueueCounters("out", false);
  private final RingMemory forgotten = newRing(SINK_SLOTS);
  private final NetmapSink sink = new NetmapSink(forgotten.ring(), forgotten::giveAll, out);
  private final long rate;
  private final int length;
  private final Generator generator;

  /**
   * A generator of frames.
   *
   * @param length bytes of each frame without the frame check sequence, 60 to 2048
   * @param rate frames a second, 0 for as many as are taken
   * @param flows how many flows the frames are of in turn, 1 to {@value #FLOWS}
   */
  public PktgenPort(String name, int length, long rate, int flows) throws ErrnoException {
    super(name);
    if (length < 60 || length > NetmapAbi.DEFAULT_BUFFER_BYTES || rate < 0) {
      throw new IllegalArgumentException(
          "frames of 60 to 2048 bytes, not " + length + ", at a rate of 0 or more");
    }
    if (flows < 1 || flows > FLOWS) {
      throw new IllegalArgumentException("1 to " + FLOWS + " flows, not " + flows);
    }
    this.rate = rate;
    this.length = length;
    generator = new Generator();
    fillBuffers(flows);
  }

  private static RingMemory newRing(int slots) throws ErrnoException {
    return new RingMemory(slots, STRIDE);
  }

  /** The ring gives out slots by the clock when there is a rate. */
  private final class Generator extends NetmapSource {
    private long started;
    private long forgiven; // frames

    Generator() {
      super(memory.ring(), () -> {}, in);
    }

    @Override
    public void peek(Burst burst) {
      give();
      super.peek(burst);
    }

    private void give() {
      if (rate == 0) {
        memory.giveAll();
        return;
      }
      long now = System.nanoTime();
      if (started == 0) {
        started = now;
      }
      long due = (long) ((double) (now - started) * rate / NANOS) - forgiven;
      // What could not be sent for a while is not owed for ever.
      forgiven += Math.max(0, due - in.frames - (SLOTS - 1));
      long owed = Math.clamp(due - in.frames, 0, SLOTS - 1L);
      memory.give((int) (in.frames % SLOTS), (int) owed);
    }

    @Override
    public int readyFd() {
      return -1;
    }

    @Override
    public long rest() {
      return rate == 0 ? 0 : Math.max(NANOS / rate, 50_000);
    }

    @Override
    public void wake() {}
  }

  /**
   * Ethernet, IPv4 and UDP from 198.18.0.1 to 198.18.0.2, the benchmark network of RFC 2544, to
   * port 9 (discard), from port 9 and those that follow it, one for each flow; without a UDP
   * checksum.
   */
  private void fillBuffers(int flows) {
    byte[] frame = new byte[length];
    byte[] head =
        HexFormat.of()
            .parseHex(
                "0200000000020200000000010800450000000000400040110000c6120001c61200020009000900000000");
    System.arraycopy(head, 0, frame, 0, head.length);
    putShort(frame, 16, length - 14);
    putShort(frame, 38, length - 34);
    putShort(frame, 24, headerChecksum(frame));
    NetmapRing ring = memory.ring();
    for (int slot = 0; slot < SLOTS; slot++) {
      putShort(frame, SOURCE_PORT, DISCARD + slot % flows);
      Memory.copyFromArray(frame, 0, ring.buffer(slot), length);
      ring.set(slot, length, 0);
    }
  }

  private static void putShort(byte[] frame, int at, int value) {
    frame[at] = (byte) (value >>> 8);
    frame[at + 1] = (byte) value;
  }

  private static int headerChecksum(byte[] frame) {
    int sum = 0;
    for (int at = 14; at < 34; at += 2) {
      sum += ((frame[at] & 0xff) << 8) + (frame[at + 1] & 0xff);
    }
    sum = (sum & 0xffff) + (sum >>> 16);
    return ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  }

  @Override
  List<Source> sources() {
    return List.of(generator);
  }

  @Override
  int busySources() {
    return 1;
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  PortStatus status(int macAddresses) {
    String state =
        "sends frames of " + length + " bytes" + (rate == 0 ? "" : ", " + rate + " a second");
    return new PortStatus(
        name(),
        "pktgen",
        state,
        macAddresses,
        List.of(in.status(), out.status()),
        Optional.empty(),
        Optional.empty());
  }

  @Override
  public void close() {
    memory.close();
    forgotten.close();
  }
}
