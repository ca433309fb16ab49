// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.jmh;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.netmap.offload.InternetChecksum;

/** The Internet checksum of a packet. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ChecksumBenchmark {
  /** In the packet. */
  @Param({"20", "64", "128", "1460", "9000"})
  public int bytes = 20;

  private Mapping memory;

  /** Nothing yet. */
  public ChecksumBenchmark() {}

  /** The packet. */
  @Setup
  public void open() throws ErrnoException {
    memory = Mapping.anonymous(1 << 14);
  }

  /** The memory. */
  @TearDown
  public void close() {
    memory.close();
  }

  /** Nanoseconds a packet. */
  @Benchmark
  public int sum() {
    return InternetChecksum.sum(memory.address(), bytes);
  }
}
