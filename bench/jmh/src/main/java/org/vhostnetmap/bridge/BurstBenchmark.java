// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.vhostnetmap.jmh.DrivenRing;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.vhost.BareVring;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.RingFormat;

/** A burst of 32 frames: from a guest into netmap slots, from netmap slots to a guest, both. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BurstBenchmark {
  private static final int HEADER_BYTES = 12;

  /** Of the rings. */
  @Param public RingFormat format = RingFormat.SPLIT;

  /** In a frame. */
  @Param({"64", "1514"})
  public int bytes = 64;

  private final Burst burst = new Burst();
  private final QueueCounters counters = new QueueCounters("rx0", false);
  private NullPort nowhere;
  private PktgenPort generator;
  private Source generated;
  private DrivenRing transmitRing;
  private DrivenRing receiveRing;
  private GuestTransmit transmit;
  private GuestReceive receive;

  /** Nothing yet. */
  public BurstBenchmark() {}

  /** Rings and frames of these parameters. */
  @Setup
  public void open() throws ErrnoException {
    nowhere = new NullPort("null");
    generator = new PktgenPort("pktgen", bytes, 0, 1);
    generated = generator.sources().getFirst();
    transmitRing = new DrivenRing(format, Direction.READABLE, HEADER_BYTES + bytes);
    receiveRing = new DrivenRing(format, Direction.WRITABLE, 2048);
    transmit = new GuestTransmit(BareVring.of(1, transmitRing.queue()), HEADER_BYTES, 0, counters);
    receive =
        new GuestReceive(
            BareVring.of(0, receiveRing.queue()), HEADER_BYTES, true, 0, false, counters);
  }

  /** The memory. */
  @TearDown
  public void close() {
    nowhere.close();
    generator.close();
    transmitRing.close();
    receiveRing.close();
  }

  private long move(Source source, Sink sink) {
    burst.clear();
    source.peek(burst);
    burst.taken = 0;
    burst.movable = -1;
    long left = sink.offer(burst, burst.valid);
    if (left != 0) {
      throw new IllegalStateException("no room for frames " + Long.toBinaryString(left));
    }
    source.count(burst, burst.count);
    source.advance(burst, burst.count);
    return burst.count;
  }

  /** Nanoseconds a frame. */
  @Benchmark
  @OperationsPerInvocation(Burst.FRAMES)
  public long guestToNetmap() {
    transmitRing.give(Burst.FRAMES);
    return move(transmit, nowhere.sink());
  }

  /** Nanoseconds a frame. */
  @Benchmark
  @OperationsPerInvocation(Burst.FRAMES)
  public long netmapToGuest() {
    receiveRing.give(Burst.FRAMES);
    return move(generated, receive);
  }

  /** Nanoseconds a frame. */
  @Benchmark
  @OperationsPerInvocation(Burst.FRAMES)
  public long guestToGuest() {
    transmitRing.give(Burst.FRAMES);
    receiveRing.give(Burst.FRAMES);
    return move(transmit, receive);
  }
}
