// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.virtqueue.GuestMemory;

/**
 * A data plane with a thread that reads all guest memory it was given, over and over, until run()
 * returns with another list: memory that is unmapped too early kills the process.
 */
final class ReadingPlane implements DataPlane, AutoCloseable {
  private static final long PAGE = 4096;

  private final AtomicLong rounds = new AtomicLong();
  private final Thread reader = new Thread(this::read, "reader");
  private volatile DeviceState wanted =
      new DeviceState(FeatureSet.virtio(0), 0, GuestMemory.NONE, java.util.List.of());
  private volatile DeviceState seen = wanted;
  private volatile boolean closed;

  ReadingPlane() {
    reader.start();
  }

  private void read() {
    while (!closed) {
      DeviceState now = wanted;
      seen = now;
      if (!now.rings().isEmpty()) {
        for (GuestMemory.Region region : now.memory().regions()) {
          for (long at = 0; at < region.size(); at += PAGE) {
            Memory.getUnsignedByte(region.hostAddress() + at);
          }
        }
        rounds.incrementAndGet();
      }
    }
  }

  @Override
  @SuppressWarnings("ReferenceEquality")
  public void run(DeviceState state) {
    wanted = state;
    while (seen != state && reader.isAlive()) {
      LockSupport.parkNanos(1000);
    }
  }

  @Override
  public void announce(long macAddress48) {}

  /** How often all memory was read. */
  long rounds() {
    return rounds.get();
  }

  boolean isAlive() {
    return reader.isAlive();
  }

  @Override
  public void close() {
    closed = true;
  }
}
