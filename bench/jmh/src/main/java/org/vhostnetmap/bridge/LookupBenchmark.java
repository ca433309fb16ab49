// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.vhostnetmap.linux.ErrnoException;

/** What a learning bridge and a port of several queues ask of each frame. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LookupBenchmark {
  private static final int ADDRESSES = 64;
  private static final long FIRST = 0x010000000002L; // 02:00:00:00:00:01 as it is loaded
  private static final long NEXT = 1L << 40;

  private final MacTable table = new MacTable(ADDRESSES, 300);
  private final Burst burst = new Burst();
  private PktgenPort generator;

  /** Nothing yet. */
  public LookupBenchmark() {}

  /** A table of 64 guests, and a burst of UDP frames. */
  @Setup
  public void open() throws ErrnoException {
    for (int i = 0; i < ADDRESSES; i++) {
      table.learn(FIRST + i * NEXT, i, 1);
    }
    generator = new PktgenPort("pktgen", 64, 0, 1);
    generator.sources().getFirst().peek(burst);
  }

  /** The memory. */
  @TearDown
  public void close() {
    generator.close();
  }

  /** Nanoseconds an address. */
  @Benchmark
  @OperationsPerInvocation(ADDRESSES)
  public int macTable() {
    int ports = 0;
    for (int i = 0; i < ADDRESSES; i++) {
      ports += table.lookup(FIRST + i * NEXT);
    }
    return ports;
  }

  /** Nanoseconds a frame of UDP over IPv4. */
  @Benchmark
  @OperationsPerInvocation(Burst.FRAMES)
  public int flowHash() {
    int sum = 0;
    for (int i = 0; i < burst.count; i++) {
      sum += FlowHash.of(burst, i);
    }
    return sum;
  }
}
