// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jmh;

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
import org.vhostnetmap.virtqueue.Chains;
import org.vhostnetmap.virtqueue.Direction;
import org.vhostnetmap.virtqueue.GuestFault;
import org.vhostnetmap.virtqueue.RingFormat;
import org.vhostnetmap.virtqueue.Virtqueue;

/** A burst of 32 chains: peek, complete, publish; with what the driver has to write before. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RingBenchmark {
  private static final int BURST = 32;

  /** Of the ring. */
  @Param public RingFormat format = RingFormat.SPLIT;

  /** Of the buffers. */
  @Param({"READABLE", "WRITABLE"})
  public Direction direction = Direction.READABLE;

  private final Chains chains = new Chains();
  private DrivenRing ring;

  /** Nothing yet. */
  public RingBenchmark() {}

  /** The ring of these parameters. */
  @Setup
  public void open() {
    ring = new DrivenRing(format, direction, 2048);
  }

  /** Its memory. */
  @TearDown
  public void close() {
    ring.close();
  }

  /** Nanoseconds a chain. */
  @Benchmark
  @OperationsPerInvocation(BURST)
  public boolean burst() throws GuestFault {
    Virtqueue queue = ring.queue();
    ring.give(BURST);
    chains.clear();
    queue.complete(chains, queue.peek(chains, BURST));
    return queue.publishAndAsk();
  }
}
